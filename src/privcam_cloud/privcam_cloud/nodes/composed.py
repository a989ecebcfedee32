"""cloud_composed: all cloud nodes in one process, for one camera or for many."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from privcam_cloud.nodes.bridge import BridgeNode, namespace_of
from privcam_cloud.nodes.inference import InferenceNode
from privcam_cloud.nodes.reconstruction import ReconstructionNode
from privcam_cloud.nodes.recorder import RecorderNode
from privcam_ros.node import PrivcamNode, run_all
from privcam_ros.parameters import param

OFF = "off"


@dataclass(frozen=True)
class Parameters:
    """Which nodes the process holds."""

    camera_id: str = param("camera", "the camera; several separated by blanks, each in its namespace /NAME/cloud")
    bridge: bool = param(True, "receive over Zenoh; false when a replay publishes Ω")
    path: str = param(OFF, f"folder of the bag to record, or {OFF}; several cameras: a folder each in it")


def nodes() -> Iterator[PrivcamNode[Any]]:
    """Make the nodes. The bridge comes last, so that all others are ready for its first Ω."""
    switches: PrivcamNode[Parameters] = PrivcamNode("cloud_composed", Parameters)
    yield switches
    wanted = switches.parameters
    cameras = wanted.camera_id.split()
    for camera_id in cameras:
        namespace = namespace_of(switches, camera_id, cameras).rstrip("/") or None
        yield InferenceNode(namespace)
        yield ReconstructionNode(namespace)
        if wanted.path != OFF:
            yield RecorderNode(camera_id if namespace else None, namespace, has_bridge=wanted.bridge)
    if wanted.bridge:
        yield BridgeNode()


def main() -> None:
    """Run the nodes."""
    sys.exit(run_all(nodes()))
