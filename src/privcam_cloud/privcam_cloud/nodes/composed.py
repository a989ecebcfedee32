"""cloud_composed: all cloud nodes in one process."""

import sys
from dataclasses import dataclass

from privcam_cloud.nodes.bridge import BridgeNode
from privcam_cloud.nodes.inference import InferenceNode
from privcam_cloud.nodes.reconstruction import ReconstructionNode
from privcam_cloud.nodes.recorder import RecorderNode
from privcam_ros.node import PrivcamNode, run
from privcam_ros.parameters import param

OFF = "off"


@dataclass(frozen=True)
class Parameters:
    """Which nodes the process holds."""

    bridge: bool = param(True, "receive over Zenoh; false when a replay publishes Ω")
    path: str = param(OFF, f"folder of the bag to record, or {OFF}")


def main() -> None:
    """Run the nodes. The bridge comes last, so that everything is ready for its first Ω."""
    wanted: list[Parameters] = []

    def switches() -> PrivcamNode[Parameters]:
        node: PrivcamNode[Parameters] = PrivcamNode("cloud_composed", Parameters)
        wanted.append(node.parameters)
        return node

    sys.exit(
        run(
            switches,
            InferenceNode,
            ReconstructionNode,
            lambda: RecorderNode() if wanted[0].path != OFF else None,
            lambda: BridgeNode() if wanted[0].bridge else None,
        )
    )
