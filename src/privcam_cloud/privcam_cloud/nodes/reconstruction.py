"""reconstruction_node: Ω and reports in, the dynamic contour out."""

import sys
import time
from dataclasses import dataclass

import cv2
from cv_bridge import CvBridge
from privcam_msgs.msg import Omega, Reconstruction, SceneReport
from sensor_msgs.msg import CompressedImage, Image

from privcam_cloud.nodes.messages import report_from_msg
from privcam_cloud.reconstruction.player import Player
from privcam_core.omega import SyncKey
from privcam_ros.convert import from_msg, key_to_msg, stamp_to_msg
from privcam_ros.node import STREAM, PrivcamNode, run
from privcam_ros.parameters import param

JPEG_QUALITY = 85


@dataclass(frozen=True)
class Parameters:
    """Parameters of the reconstruction node."""

    display_rate_hz: float = param(10.0, "contour pictures per second", low=1.0, high=60.0)
    record_rate_hz: float = param(5.0, "compressed contour pictures per second, for the recorder", low=0.2, high=60.0)
    scale: float = param(1.0, "size of the picture against the environment", low=0.25, high=4.0)


class ReconstructionNode(PrivcamNode[Parameters]):
    """Draws what happens. A picture is only drawn when somebody looks."""

    def __init__(self, namespace: str | None = None) -> None:
        super().__init__("reconstruction", Parameters, namespace)
        self._bridge = CvBridge()
        self._player = Player(scale=self.parameters.scale)
        self._recorded_s = 0.0
        self._out = self.create_publisher(Reconstruction, "contour", STREAM)
        self._images = self.create_publisher(Image, "contour_image", STREAM)
        self._compressed = self.create_publisher(CompressedImage, "contour_image/compressed", STREAM)
        self.on("omega", Omega, lambda _key, omega: self._player.take(from_msg(omega)))
        self.on("report", SceneReport, lambda _key, report: self._player.report(report_from_msg(report)))
        self.create_timer(1.0 / self.parameters.display_rate_hz, self._show)

    def _show(self) -> None:
        now = time.monotonic()
        to_record = self._compressed.get_subscription_count() > 0 and (
            now - self._recorded_s >= 1.0 / self.parameters.record_rate_hz
        )
        watched = self._out.get_subscription_count() + self._images.get_subscription_count()
        if not (watched or to_record):
            return
        shown = self._player.picture(now)
        if shown is None or self._player.newest is None:
            return
        moment_ns, picture = shown
        key: SyncKey = self._player.newest.key
        image = self._bridge.cv2_to_imgmsg(picture, "bgr8")
        image.header.frame_id = "camera"
        image.header.stamp = stamp_to_msg(moment_ns)
        if self._out.get_subscription_count():
            self._out.publish(
                Reconstruction(key=key_to_msg(key), shown=image.header.stamp, image=image, backend="contour")
            )
        if self._images.get_subscription_count():
            self._images.publish(image)
        if to_record:
            self._recorded_s = now
            good, jpeg = cv2.imencode(".jpg", picture, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
            if good:
                self._compressed.publish(CompressedImage(header=image.header, format="jpeg", data=jpeg.tobytes()))
        self.counts["pictures"] += 1


def main() -> None:
    """Run the node."""
    sys.exit(run(ReconstructionNode))
