"""console_node: live Ω and reports of all cameras in, the page of the console out."""

import sys
from dataclasses import dataclass

from privcam_console.live.channel import LiveFrame
from privcam_console.live.hub import Hub
from privcam_console.live.messages import Report
from privcam_console.nodes.camera_feed import CameraFeed
from privcam_console.server.address import UnusableAddress, listen_on, url_of
from privcam_console.server.web_server import WebServer
from privcam_core.types.identifiers import is_camera_namespace, namespace_error
from privcam_ros.node import StartError, run
from privcam_ros.parameters import param
from privcam_ros.sealed_node import SealedNode

DISCOVERY_PERIOD_S = 1.0
# How often Ω whose seal does not come are looked for, in s.
EXPIRY_PERIOD_S = 0.1
OMEGA_TYPE = "privcam_msgs/msg/Omega"


@dataclass(frozen=True)
class Parameters:
    """Parameters of the console."""

    cameras: str = param("", "the cameras to show, separated by blanks; empty: all whose Ω this host has")
    address: str = param("127.0.0.1", "IP address to listen on; of the loopback, because there are no users and no TLS")
    port: int = param(8420, "TCP port of the page; 0: any free one", low=0, high=65535)
    max_cameras: int = param(64, "cameras that are shown at most, where `cameras` is empty", low=1, high=1024)


class ConsoleNode(SealedNode[Parameters]):
    """Subscribes to the live Ω and reports of each camera, and serves them to browsers.

    With the key of the cloud's start it knows what is live; everything else is shown as a recording.
    """

    def __init__(self) -> None:
        super().__init__("console", Parameters)
        self._hub = Hub()
        self._feeds: dict[str, CameraFeed] = {}
        try:
            listening = listen_on(self.parameters.address, self.parameters.port)
        except UnusableAddress as error:
            raise StartError(str(error)) from error
        self._server = WebServer(self._hub, listening, self._end_with)
        for camera_id in self.parameters.cameras.split():
            if not is_camera_namespace(camera_id):
                raise StartError(f"cameras: {namespace_error(camera_id)}; separate names by blanks")
            self._add_camera(camera_id)
        if not self._feeds:
            self.create_timer(DISCOVERY_PERIOD_S, self._discover)
            self._discover()
        self.create_timer(EXPIRY_PERIOD_S, self._expire)
        self._server.start()
        self.get_logger().info(f"console: {url_of(listening)}")

    def _discover(self) -> None:
        """Add cameras whose Ω came up since the last time."""
        for topic, kinds in self.get_topic_names_and_types():
            name = topic.split("/")
            is_omega = len(name) == 4 and name[2:] == ["cloud", "omega"] and OMEGA_TYPE in kinds
            if is_omega and is_camera_namespace(name[1]) and name[1] not in self._feeds:
                if len(self._feeds) >= self.parameters.max_cameras:
                    self.diagnostics["not_shown"] = f"{name[1]}: there are {len(self._feeds)} cameras already"
                    return
                self._add_camera(name[1])

    def _add_camera(self, camera_id: str) -> None:
        self._server.call(self._hub.add_camera, camera_id)
        self._feeds[camera_id] = CameraFeed(self, camera_id, self._take_frame, self._take_report)

    def _take_frame(self, frame: LiveFrame, png: bytes) -> None:
        self._server.call(self._hub.take_frame, frame, png)

    def _take_report(self, camera_id: str, report: Report) -> None:
        self._server.call(self._hub.take_report, camera_id, report)

    def _expire(self) -> None:
        for feed in self._feeds.values():
            feed.expire()

    def _end_with(self, reason: str) -> None:
        self.get_logger().fatal(f"the web server has ended: {reason}")
        self.end(1)

    def collect_diagnostics(self) -> None:
        """Count cameras, clients and bytes."""
        super().collect_diagnostics()
        self.diagnostics.update(self._hub.totals._asdict())
        self.diagnostics["dropped_replays"] = sum(feed.dropped_replays for feed in self._feeds.values())

    def stop(self) -> None:
        """End the server."""
        self._server.stop()


def main() -> None:
    """Run the node."""
    sys.exit(run(ConsoleNode))
