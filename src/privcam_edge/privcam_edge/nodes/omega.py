"""omega_node: joins all parts of one frame and publishes Ω."""

import sys
from dataclasses import dataclass

from privcam_msgs.msg import Embedding, Environment, PrivacyReport, SubjectPoseArray
from privcam_msgs.msg import Omega as OmegaMsg
from privcam_msgs.msg import SyncKey as SyncKeyMsg

from privcam_core.types.omega import Omega, SyncKey
from privcam_edge.composition import PictureKeeper
from privcam_ros.conversions import (
    embedding_from_msg,
    environment_from_msg,
    key_to_msg,
    omega_to_msg,
    poses_from_msg,
    privacy_from_msg,
)
from privcam_ros.node import FINISHED, JOIN_TIMEOUT_S, STREAM, PrivcamNode, run
from privcam_ros.parameters import param


@dataclass(frozen=True)
class Parameters:
    """Parameters of the omega node."""

    join_timeout_s: float = param(
        JOIN_TIMEOUT_S, "an incomplete frame is dropped after this many s", low=0.05, high=5.0
    )


class OmegaNode(PrivcamNode[Parameters]):
    """Joins the parts of one frame by exact κ. A frame that lacks a part is dropped as a whole."""

    def __init__(self) -> None:
        super().__init__("omega", Parameters)
        self._out = self.create_publisher(OmegaMsg, "omega", FINISHED)
        self._done = self.create_publisher(SyncKeyMsg, "done", STREAM)
        parts = [
            ("environment", Environment, STREAM),
            ("poses", SubjectPoseArray, STREAM),
            ("embedding", Embedding, STREAM),
            ("privacy", PrivacyReport, STREAM),
        ]
        self._pictures = PictureKeeper()
        self.on("environment", Environment, self._note_picture)
        self.on_joined(parts, self._complete, self.parameters.join_timeout_s)

    def _note_picture(self, _key: SyncKey, message: Environment) -> None:
        self._pictures.note(environment_from_msg(message))

    def _complete(
        self,
        key: SyncKey,
        environment: Environment,
        poses: SubjectPoseArray,
        embedding: Embedding,
        report: PrivacyReport,
    ) -> None:
        try:
            omega = Omega(
                key,
                self._pictures.complete(environment_from_msg(environment)),
                poses_from_msg(poses),
                embedding_from_msg(embedding),
                privacy_from_msg(report),
            )
            self._out.publish(omega_to_msg(omega))
        finally:
            # The frame has left the graph, as Ω or rejected: the camera may send another one.
            self._done.publish(key_to_msg(key))


def main() -> None:
    """Run the node."""
    sys.exit(run(OmegaNode))
