"""All cameras of the console, and the pictures of their environments."""

import time
from collections.abc import Callable
from typing import NamedTuple

from privcam_console.live.channel import CameraChannel, LiveFrame
from privcam_console.live.environments import Environments
from privcam_console.live.messages import Report

# Between two STATE of a camera, in s.
STATE_PERIOD_S = 1.0


class Totals(NamedTuple):
    """What the diagnostics say of all cameras together."""

    cameras: int
    clients: int
    bytes_sent: int


class Hub:
    """The channels by camera. clock: monotonic seconds.

    All calls come from one thread, that of the server. Only `totals` may be read by any thread.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.environments = Environments()
        self.totals = Totals(0, 0, 0)
        self._clock = clock
        self._channels: dict[str, CameraChannel] = {}

    def cameras(self) -> list[CameraChannel]:
        """Return the channels, by the names of their cameras."""
        return [self._channels[name] for name in sorted(self._channels)]

    def channel(self, camera_id: str) -> CameraChannel | None:
        """Return the channel of a camera, None if there is no such camera."""
        return self._channels.get(camera_id)

    def add_camera(self, camera_id: str) -> None:
        """Add a camera of which nothing has come yet. One that is there already stays as it is."""
        self._channels.setdefault(camera_id, CameraChannel(camera_id, self._clock))

    def take_frame(self, frame: LiveFrame, png: bytes) -> None:
        """Take an Ω of a camera. png: its environment picture, empty where only the digest came."""
        camera_id = frame.hello.camera_id
        if png:
            self.environments.put(camera_id, frame.digest, png)
        self._channels[camera_id].take_frame(frame)

    def take_report(self, camera_id: str, report: Report) -> None:
        """Take a report of a camera."""
        self._channels[camera_id].take_report(report)

    def tell_states(self) -> None:
        """Send every client the state of its camera."""
        channels = self._channels.values()
        for channel in channels:
            channel.tell_state()
        clients, bytes_sent = (sum(c.clients for c in channels), sum(c.bytes_sent for c in channels))
        self.totals = Totals(len(channels), clients, bytes_sent)
