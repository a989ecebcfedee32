"""edge_composed: all edge nodes in one process, for small gateways."""

import sys

from privcam_edge.nodes.bridge import BridgeNode
from privcam_edge.nodes.camera import CameraNode
from privcam_edge.nodes.composer import ComposerNode
from privcam_edge.nodes.detector import DetectorNode
from privcam_edge.nodes.embedder import EmbedderNode
from privcam_edge.nodes.eraser import EraserNode
from privcam_edge.nodes.omega import OmegaNode
from privcam_edge.nodes.pose import PoseNode
from privcam_edge.nodes.tracker import TrackerNode
from privcam_ros.node import run


def main() -> None:
    """Run the nodes. The camera starts last, when all other nodes are ready for its first frame."""
    sys.exit(
        run(
            BridgeNode,
            OmegaNode,
            EmbedderNode,
            ComposerNode,
            EraserNode,
            PoseNode,
            TrackerNode,
            DetectorNode,
            CameraNode,
        )
    )
