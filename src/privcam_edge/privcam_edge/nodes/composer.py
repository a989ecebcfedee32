"""composer_node: takes environment and poses, publishes the anonymous frame; for rviz an image and markers."""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from cv_bridge import CvBridge
from privcam_msgs.msg import Environment as EnvironmentMsg
from privcam_msgs.msg import ProxyFrame, SubjectPoseArray
from privcam_msgs.msg import Seal as SealMsg
from sensor_msgs.msg import Image
from visualization_msgs.msg import MarkerArray

from privcam_core.types.arrays import Image as ImageArray
from privcam_core.types.omega import Environment, SubjectPose, SyncKey
from privcam_edge.composition import Composer, UnknownEnvironment
from privcam_edge.embedding.shrinking import shrink
from privcam_edge.link.part_filter import PartFilter
from privcam_edge.link.sealing import Part, ProxyCoder, SealKeys, SealVerifier
from privcam_edge.nodes.markers import markers
from privcam_ros.conversions import environment_from_msg, key_to_msg, poses_from_msg
from privcam_ros.image_topics.camera_info import FrameInfo
from privcam_ros.node import JOIN_TIMEOUT_S, STREAM, run
from privcam_ros.seal_conversions import seal_from_msg
from privcam_ros.sealed_node import SealedNode

# Topic, κ and value of a part.
SealedPart: TypeAlias = tuple[str, SyncKey, Part]


@dataclass(frozen=True)
class Parameters:
    """The composer node has no parameters."""


class ComposerNode(SealedNode[Parameters]):
    """Draws the proxies. It has no path to the frame memory, so no raw pixel reaches it.

    It draws only what the eraser sealed, and its frames have a code: so z is computed from nothing else.
    """

    def __init__(self, namespace: str | None = None) -> None:
        super().__init__("composer", Parameters, namespace)
        self._bridge = CvBridge()
        self._composer = Composer()
        keys = SealKeys.derived(self.start_key.derive)
        self._coder = ProxyCoder(keys)
        self._filter: PartFilter[SealedPart] = PartFilter(SealVerifier(keys))
        self._out = self.create_publisher(ProxyFrame, "proxy", STREAM)
        self._picture = self.create_publisher(Image, "proxy_image", STREAM)
        self._frame_info = FrameInfo(self, "proxy_camera_info")
        self._markers = self.create_publisher(MarkerArray, "markers", STREAM)
        self._add = self._join(["environment", "poses"], self._compose, JOIN_TIMEOUT_S)
        self.on("seals", SealMsg, self._take_seal, timed=False)
        self.on("environment", EnvironmentMsg, self._take_environment, timed=False)
        self.on("poses", SubjectPoseArray, self._take_poses, timed=False)

    def _take_seal(self, _key: SyncKey, message: SealMsg) -> None:
        self._take_sealed(self._filter.add_seal(seal_from_msg(message)))

    def _take_environment(self, key: SyncKey, message: EnvironmentMsg) -> None:
        environment = environment_from_msg(message)
        self._take_sealed(self._filter.add_part(key, environment, ("environment", key, environment)))

    def _take_poses(self, key: SyncKey, message: SubjectPoseArray) -> None:
        poses = poses_from_msg(message)
        self._take_sealed(self._filter.add_part(key, poses, ("poses", key, poses)))

    def _take_sealed(self, parts: Sequence[SealedPart]) -> None:
        for topic, key, part in parts:
            if isinstance(part, Environment):
                # A new picture is decoded as soon as it arrives, before the other part of its frame.
                self._composer.update(part)
            self._add(topic, key, part)

    def collect_diagnostics(self) -> None:
        """Count what was not sealed by the eraser of this start."""
        self.diagnostics.update(unsealed_parts=self._filter.unsealed, forged_seals=self._filter.forged)

    def _compose(self, key: SyncKey, environment: Environment, subjects: Sequence[SubjectPose]) -> None:
        try:
            anonymous = self._composer.compose(environment, subjects)
        except UnknownEnvironment:
            # This happens only after a restart of this node, until the eraser repeats its picture.
            self.counts["without_environment"] += 1
            return
        # As small as the embedder needs it: the whole picture of a VGA camera has four times the bytes.
        small = shrink(anonymous)
        code = np.frombuffer(self._coder.code(key, small.tobytes()), np.uint8)
        self._out.publish(ProxyFrame(key=key_to_msg(key), image=self._to_msg(key, small), code=code))
        if self._picture.get_subscription_count():
            picture = self._to_msg(key, anonymous)
            self._picture.publish(picture)
            self._frame_info.publish(picture.header)
        if self._markers.get_subscription_count():
            self._markers.publish(markers(key, subjects))

    def _to_msg(self, key: SyncKey, picture: ImageArray) -> Image:
        message = self._bridge.cv2_to_imgmsg(picture, "bgr8")
        message.header.frame_id = self._frame_info.frame_id
        message.header.stamp = key_to_msg(key).stamp
        return message


def main() -> None:
    """Run the node."""
    sys.exit(run(ComposerNode))
