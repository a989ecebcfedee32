"""edge_composed: all edge nodes in one process, of one camera or of the several cameras of a gateway."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from privcam_edge.nodes.bridge import BridgeNode
from privcam_edge.nodes.camera import CameraNode
from privcam_edge.nodes.composer import ComposerNode
from privcam_edge.nodes.detector import DetectorNode
from privcam_edge.nodes.embedder import EmbedderNode
from privcam_edge.nodes.eraser import EraserNode
from privcam_edge.nodes.omega import OmegaNode
from privcam_edge.nodes.pose import PoseNode
from privcam_edge.nodes.tracker import TrackerNode
from privcam_ros.node import PrivcamNode, StartError, run_all
from privcam_ros.parameters import param

# The camera starts last, when all other nodes are ready for its first frame.
NODES = (
    BridgeNode,
    OmegaNode,
    EmbedderNode,
    ComposerNode,
    EraserNode,
    PoseNode,
    TrackerNode,
    DetectorNode,
)


@dataclass(frozen=True)
class Parameters:
    """Which cameras the process holds."""

    camera_id: str = param("camera", "the camera; several separated by blanks, each in its namespace /NAME")


def nodes() -> Iterator[PrivcamNode[Any]]:
    """Make the nodes. Several cameras share the loaded models.

    Raises StartError where one of several cameras has no source of its own.
    """
    switches: PrivcamNode[Parameters] = PrivcamNode("edge_composed", Parameters)
    yield switches
    cameras = switches.parameters.camera_id.split()
    # A launch file gives the nodes of a single camera their namespace.
    namespaces = [None] if len(cameras) == 1 and switches.get_namespace() != "/" else cameras
    for namespace in namespaces:
        for kind in NODES:
            yield kind(namespace)
    for namespace in namespaces:
        camera = CameraNode(namespace)
        yield camera
        if len(namespaces) > 1 and "source" not in camera._parameter_overrides:
            raise StartError(
                f"source: camera {namespace} has none of its own; write it below /{namespace}/camera in params_file"
            )


def main() -> None:
    """Run the nodes."""
    sys.exit(run_all(nodes()))
