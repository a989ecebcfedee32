"""embedder_node: the anonymous frame in, z out."""

import sys
from dataclasses import dataclass

from cv_bridge import CvBridge
from privcam_msgs.msg import Embedding, EmbeddingSeal, ProxyFrame

from privcam_core.types.omega import SyncKey
from privcam_edge.embedding.encoder import BottleneckEncoder
from privcam_edge.embedding.still_encoder import StillEncoder
from privcam_edge.link.sealing import EmbeddingSealer, ProxyCoder, SealKeys
from privcam_ros.conversions import embedding_to_msg
from privcam_ros.node import STREAM, run
from privcam_ros.parameters import param
from privcam_ros.seal_conversions import embedding_seal_to_msg
from privcam_ros.sealed_node import SealedNode


@dataclass(frozen=True)
class Parameters:
    """Parameters of the embedder node."""

    # With less noise than it was trained with, an encoder would tell more than was measured.
    sigma: float = param(0.25, "standard deviation of the channel's Gaussian noise, in units of z", low=0.25, high=4.0)


class EmbedderNode(SealedNode[Parameters]):
    """Encodes the anonymous frame. No raw pixel reaches it."""

    def __init__(self, namespace: str | None = None) -> None:
        super().__init__("embedder", Parameters, namespace)
        self._bridge = CvBridge()
        self._encoder = StillEncoder(BottleneckEncoder(self.parameters.sigma))
        keys = SealKeys.derived(self.start_key.derive)
        self._sealer, self._coder = EmbeddingSealer(keys), ProxyCoder(keys)
        self._seals = self.create_publisher(EmbeddingSeal, "embedding_seals", STREAM)
        self._out = self.create_publisher(Embedding, "embedding", STREAM)
        self.on("proxy", ProxyFrame, self._encode)

    def _encode(self, key: SyncKey, proxy: ProxyFrame) -> None:
        if not self._coder.take(key, bytes(proxy.image.data), proxy.code.tobytes()):
            # Otherwise whoever sends a frame here, or sends one again, gets it encoded and sealed.
            self.counts["forged_frames"] += 1
            return
        embedding = self._encoder.encode(self._bridge.imgmsg_to_cv2(proxy.image, "bgr8"))
        self._seals.publish(embedding_seal_to_msg(self._sealer.seal(key, embedding)))
        self._out.publish(embedding_to_msg(embedding, key))


def main() -> None:
    """Run the node."""
    sys.exit(run(EmbedderNode))
