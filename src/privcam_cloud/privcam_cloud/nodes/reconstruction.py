"""reconstruction_node: Ω and reports in, the contour or generated people out."""

import sys
import time
from dataclasses import dataclass

import cv2
from cv_bridge import CvBridge
from diagnostic_msgs.msg import DiagnosticStatus
from privcam_msgs.msg import Reconstruction, SceneReport
from sensor_msgs.msg import CompressedImage, Image

from privcam_cloud.nodes.live_node import LiveNode
from privcam_cloud.nodes.report_messages import report_from_msg
from privcam_cloud.reconstruction.generative.generative_backend import GenerativeBackend, Reason
from privcam_cloud.reconstruction.generative.generative_settings import GenerativeSettings
from privcam_cloud.reconstruction.screen import Screen, Shown
from privcam_core.types.omega import Omega, SyncKey
from privcam_ros.conversions import key_to_msg, stamp_to_msg
from privcam_ros.live_topics import LIVE_REPORT
from privcam_ros.node import STREAM, StartError, run
from privcam_ros.parameters import param

JPEG_QUALITY = 85


@dataclass(frozen=True)
class Parameters:
    """Parameters of the reconstruction node."""

    display_rate_hz: float = param(10.0, "contour pictures per second", low=1.0, high=60.0)
    record_rate_hz: float = param(5.0, "compressed contour pictures per second, for the recorder", low=0.2, high=60.0)
    scale: float = param(1.0, "size of the picture against the environment", low=0.25, high=4.0)
    backend: str = param(
        "contour", "how people are shown; generative: docs/generative.md", choices=("contour", "generative")
    )
    generative_model: str = param("", "folder or hub id of the Stable Diffusion pipeline that paints people")
    generative_control: str = param("", "folder or hub id of its ControlNet for skeletons; empty: the pipeline has one")
    generative_period_s: float = param(2.0, "minimum time between two generated pictures, in s", low=0.1, high=600.0)
    generative_budget_s: float = param(20.0, "a picture that takes longer is given up, in s", low=0.1, high=600.0)
    generative_steps: int = param(12, "denoising steps of a picture", low=1, high=100)


class ReconstructionNode(LiveNode[Parameters]):
    """Draws the scene. A picture is only drawn while its topic has subscribers. A replay is marked in the picture."""

    def __init__(self, namespace: str | None = None) -> None:
        super().__init__("reconstruction", Parameters, namespace, self._add_omega)
        self._bridge = CvBridge()
        self._generative = self._start_generative()
        self._screen = Screen(scale=self.parameters.scale, generative=self._generative)
        self._recorded_s = 0.0
        self._fallback: Reason | None = None
        self._said: set[Reason] = set()
        self._out = self.create_publisher(Reconstruction, "contour", STREAM)
        self._images = self.create_publisher(Image, "contour_image", STREAM)
        self._compressed = self.create_publisher(CompressedImage, "contour_image/compressed", STREAM)
        # Sealed, as live Ω are: captions of a recorded report would alarm somebody.
        self._open_reports = self.on_sealed(LIVE_REPORT, SceneReport, self._set_report)
        self.start_live()
        self.create_timer(1.0 / self.parameters.display_rate_hz, self._show)

    def _add_omega(self, omega: Omega) -> None:
        self._screen.playout.add_omega(omega)

    def _set_report(self, _key: SyncKey, message: SceneReport) -> None:
        if message.replay == self._screen.playout.is_replay:
            self._screen.playout.set_report(report_from_msg(message))

    def status(self) -> tuple[bytes, str]:
        """Return a warning while the contour has to stand in for generated people."""
        level, text = super().status()
        if level == DiagnosticStatus.OK and self._fallback is not None and self._fallback.is_fault:
            return DiagnosticStatus.WARN, f"the contour is shown: {self._fallback.value}"
        return level, text

    def stop(self) -> None:
        """End the thread of the generative model."""
        if self._generative is not None:
            self._generative.stop()

    def _start_generative(self) -> GenerativeBackend | None:
        wanted = self.parameters
        if wanted.backend != "generative":
            return None
        try:
            settings = GenerativeSettings(
                wanted.generative_model,
                wanted.generative_control,
                period_s=wanted.generative_period_s,
                budget_s=wanted.generative_budget_s,
                steps=wanted.generative_steps,
            )
        except ValueError as error:
            raise StartError(f"backend generative: {error}") from error
        # Here and not above: the contour alone needs none of the detectors, and starts sooner without their library.
        from privcam_cloud.reconstruction.generative.generation_pipeline import start_backend

        return start_backend(settings)

    def _show(self) -> None:
        self._open_reports()
        now = time.monotonic()
        to_record = self._compressed.get_subscription_count() > 0 and (
            now - self._recorded_s >= 1.0 / self.parameters.record_rate_hz
        )
        watched = self._out.get_subscription_count() + self._images.get_subscription_count()
        if not (watched or to_record):
            return
        displayed = self._screen.picture(now)
        if displayed is None:
            return
        if self._generative is not None:
            self._tell(self._generative, displayed)
        note = displayed.fallback.value if displayed.fallback else ""
        image = self._bridge.cv2_to_imgmsg(displayed.image, "bgr8")
        image.header.frame_id = "camera"
        image.header.stamp = stamp_to_msg(displayed.moment_ns)
        if self._out.get_subscription_count():
            key = key_to_msg(displayed.key)
            self._out.publish(
                Reconstruction(
                    key=key,
                    display_stamp=image.header.stamp,
                    image=image,
                    backend=displayed.backend,
                    note=note,
                    replay=self._screen.playout.is_replay,
                )
            )
        if self._images.get_subscription_count():
            self._images.publish(image)
        if to_record:
            self._recorded_s = now
            good, jpeg = cv2.imencode(".jpg", displayed.image, (cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY))
            if good:
                self._compressed.publish(CompressedImage(header=image.header, format="jpeg", data=jpeg.tobytes()))
        self.counts["pictures"] += 1

    def _tell(self, generative: GenerativeBackend, displayed: Shown) -> None:
        """Put what is shown, and why, into the diagnostics; each fault once into the log."""
        self._fallback = reason = displayed.fallback
        self.diagnostics["backend"] = displayed.backend
        self.diagnostics["fallback"] = reason.value if reason else ""
        self.diagnostics |= generative.counts
        if reason is not None and reason.is_fault and reason not in self._said:
            self._said.add(reason)
            self.get_logger().warning(f"the contour is shown: {reason.value}: {generative.detail}")


def main() -> None:
    """Run the node."""
    sys.exit(run(ReconstructionNode))
