"""composer_node: takes environment and poses, publishes the anonymous frame; for rviz an image and markers."""

import sys
from dataclasses import dataclass

from cv_bridge import CvBridge
from privcam_msgs.msg import Environment, ProxyFrame, SubjectPoseArray
from sensor_msgs.msg import Image
from visualization_msgs.msg import MarkerArray

from privcam_core.types.omega import SyncKey
from privcam_edge.composition import Composer, UnknownEnvironment
from privcam_edge.nodes.markers import markers
from privcam_ros.conversions import environment_from_msg, key_to_msg, poses_from_msg
from privcam_ros.node import STREAM, PrivcamNode, run


@dataclass(frozen=True)
class Parameters:
    """The composer node has no parameters."""


class ComposerNode(PrivcamNode[Parameters]):
    """Draws the proxies. It has no path to the frame memory, so no raw pixel reaches it."""

    def __init__(self) -> None:
        super().__init__("composer", Parameters)
        self._bridge = CvBridge()
        self._composer = Composer()
        self._out = self.create_publisher(ProxyFrame, "proxy", STREAM)
        self._picture = self.create_publisher(Image, "proxy_image", STREAM)
        self._markers = self.create_publisher(MarkerArray, "markers", STREAM)
        self.on("environment", Environment, self._update_environment)
        self.on_joined([("environment", Environment, STREAM), ("poses", SubjectPoseArray, STREAM)], self._compose)

    def _update_environment(self, _key: SyncKey, message: Environment) -> None:
        """Decode a new picture as soon as it arrives, before the other part of its frame."""
        self._composer.update(environment_from_msg(message))

    def _compose(self, key: SyncKey, environment: Environment, poses: SubjectPoseArray) -> None:
        subjects = poses_from_msg(poses)
        try:
            anonymous = self._composer.compose(environment_from_msg(environment), subjects)
        except UnknownEnvironment:
            # This happens only after a restart of this node, until the eraser repeats its picture.
            self.counts["without_environment"] += 1
            return
        picture = self._bridge.cv2_to_imgmsg(anonymous, "bgr8")
        picture.header.frame_id = "camera"
        picture.header.stamp = key_to_msg(key).stamp
        self._out.publish(ProxyFrame(key=key_to_msg(key), image=picture))
        if self._picture.get_subscription_count():
            self._picture.publish(picture)
        if self._markers.get_subscription_count():
            self._markers.publish(markers(key, subjects))


def main() -> None:
    """Run the node."""
    sys.exit(run(ComposerNode))
