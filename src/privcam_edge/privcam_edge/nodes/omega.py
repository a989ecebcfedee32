"""omega_node: joins all parts of one frame and publishes Ω."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

from privcam_msgs.msg import Embedding as EmbeddingMsg
from privcam_msgs.msg import EmbeddingSeal as EmbeddingSealMsg
from privcam_msgs.msg import Environment as EnvironmentMsg
from privcam_msgs.msg import Omega as OmegaMsg
from privcam_msgs.msg import PrivacyReport as PrivacyReportMsg
from privcam_msgs.msg import Seal as SealMsg
from privcam_msgs.msg import SubjectPoseArray
from privcam_msgs.msg import SyncKey as SyncKeyMsg

from privcam_core.types.omega import Embedding, Environment, Omega, PrivacyReport, SubjectPose, SyncKey
from privcam_edge.composition import PictureKeeper
from privcam_edge.link.part_filter import PartFilter
from privcam_edge.link.sealing import Part, SealKeys, SealVerifier
from privcam_ros.conversions import (
    embedding_from_msg,
    environment_from_msg,
    key_to_msg,
    omega_to_msg,
    poses_from_msg,
    privacy_from_msg,
)
from privcam_ros.node import FINISHED, JOIN_TIMEOUT_S, run
from privcam_ros.parameters import param
from privcam_ros.seal_conversions import embedding_seal_from_msg, seal_from_msg
from privcam_ros.sealed_node import SealedNode

PARTS: Mapping[str, tuple[type, Callable[[Any], Part]]] = {
    "environment": (EnvironmentMsg, environment_from_msg),
    "poses": (SubjectPoseArray, poses_from_msg),
    "embedding": (EmbeddingMsg, embedding_from_msg),
    "privacy": (PrivacyReportMsg, privacy_from_msg),
}


@dataclass(frozen=True)
class Parameters:
    """Parameters of the omega node."""

    join_timeout_s: float = param(
        JOIN_TIMEOUT_S, "an incomplete frame is dropped after this many s", low=0.05, high=5.0
    )


# Topic, κ and value of a part.
SealedPart: TypeAlias = tuple[str, SyncKey, Part]


class OmegaNode(SealedNode[Parameters]):
    """Joins the sealed parts of one frame by exact κ. A frame that lacks a part is dropped as a whole."""

    def __init__(self, namespace: str | None = None) -> None:
        super().__init__("omega", Parameters, namespace)
        self._out = self.create_publisher(OmegaMsg, "omega", FINISHED)
        self._done = self.create_sealed_publisher(SyncKeyMsg, "done")
        self._pictures = PictureKeeper()
        self._filter: PartFilter[SealedPart] = PartFilter(SealVerifier(SealKeys.derived(self.start_key.derive)))
        self._add = self._join(list(PARTS), self._complete, self.parameters.join_timeout_s)
        # Before their parts: of several messages that are there, the executor takes the first subscription's first.
        self.on("seals", SealMsg, self._take_seal, timed=False)
        self.on("embedding_seals", EmbeddingSealMsg, self._take_embedding_seal, timed=False)
        for topic, (kind, convert) in PARTS.items():
            self.on(topic, kind, partial(self._take_part, topic, convert), timed=False)

    def _take_seal(self, _key: SyncKey, message: SealMsg) -> None:
        self._take_sealed(self._filter.add_seal(seal_from_msg(message)))

    def _take_embedding_seal(self, _key: SyncKey, message: EmbeddingSealMsg) -> None:
        self._take_sealed(self._filter.add_seal(embedding_seal_from_msg(message)))

    def _take_part(self, topic: str, convert: Callable[[Any], Part], key: SyncKey, message: Any) -> None:
        part = convert(message)
        self._take_sealed(self._filter.add_part(key, part, (topic, key, part)))

    def _take_sealed(self, parts: Sequence[SealedPart]) -> None:
        for topic, key, part in parts:
            if isinstance(part, Environment):
                self._pictures.note(part)
            self._add(topic, key, part)

    def _complete(
        self,
        key: SyncKey,
        environment: Environment,
        poses: Sequence[SubjectPose],
        embedding: Embedding,
        report: PrivacyReport,
    ) -> None:
        try:
            omega = Omega(key, self._pictures.complete(environment), poses, embedding, report)
            self._out.publish(omega_to_msg(omega))
        finally:
            # The frame has left the graph, as Ω or rejected: the camera may send another one.
            self._done.publish(key_to_msg(key))

    def collect_diagnostics(self) -> None:
        """Count what was not sealed by eraser and embedder of this start."""
        self.diagnostics.update(unsealed_parts=self._filter.unsealed, forged_seals=self._filter.forged)


def main() -> None:
    """Run the node."""
    sys.exit(run(OmegaNode))
