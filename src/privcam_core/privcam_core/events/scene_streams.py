"""Recognition on one topic, across jumps of the camera's clock, with replays apart from what is live."""

from collections.abc import Callable
from dataclasses import replace

from privcam_core.events.scene_report import Recognizer, SceneReport
from privcam_core.types.omega import Omega
from privcam_core.types.time import NS_PER_S

# Stamps that advance by this much more than time does, in ns, show that the clock was set ahead. Ω of a backlog come in
# a burst, and each is at most some seconds after the one before it; behind a gap recognition begins anew anyway.
MAX_AHEAD_NS = 60 * NS_PER_S


class _Stream:
    """One recognizer after the other: stamps of two epochs cannot be compared, so a new epoch gets a new one."""

    def __init__(self, make: Callable[[], Recognizer]) -> None:
        self._make = make
        self._recognizer = make()
        self._newest: tuple[int, float] | None = None  # stamp of the newest Ω, ns, and when it came
        self.epoch = 1

    def update(self, omega: Omega, now_s: float) -> SceneReport:
        stamp_ns = omega.key.stamp_ns
        if self._newest is not None:
            newest_ns, came_s = self._newest
            passed_ns = int((now_s - came_s) * NS_PER_S)
            if stamp_ns <= newest_ns or stamp_ns - newest_ns > passed_ns + MAX_AHEAD_NS:
                self.epoch += 1
                self._recognizer = self._make()
        self._newest = stamp_ns, now_s
        return self._recognizer.update(omega)


class SceneStreams:
    """Reports on the Ω of one topic. Ω of a replay have a recognizer of their own, so they change nothing of the live.

    make: makes a recognizer. clock: monotonic seconds. with_replayed_events: whether reports on a replay hold events;
    without, nobody is alarmed by one.
    """

    def __init__(
        self, make: Callable[[], Recognizer], clock: Callable[[], float], *, with_replayed_events: bool = False
    ) -> None:
        self._live, self._replay = _Stream(make), _Stream(make)
        self._clock = clock
        self._with_replayed_events = with_replayed_events
        self._newest = self._live

    @property
    def epoch(self) -> int:
        """Epoch of the newest Ω, from 1: of the live stream, or of the replay, whichever it belonged to."""
        return self._newest.epoch

    @property
    def epochs(self) -> int:
        """How often an epoch began after the first, live and replayed."""
        return self._live.epoch + self._replay.epoch - 2

    def update(self, omega: Omega) -> SceneReport:
        """Process the next Ω and return its report. Raises ValueError as a recognizer does."""
        replayed = omega.privacy.replay
        self._newest = self._replay if replayed else self._live
        report = self._newest.update(omega, self._clock())
        if not replayed:
            return report
        events = report.events if self._with_replayed_events else ()
        return replace(report, events=events, caption=f"Replay. {report.caption}")
