"""The live view of one camera: takes what comes, writes it once, and hands it to every client that looks."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from privcam_console.live.camera_watch import CameraWatch
from privcam_console.live.encoder import encode_env, encode_hello, encode_pose, encode_report, encode_state
from privcam_console.live.messages import CameraState, Env, Hello, Pose, Report, State
from privcam_console.live.outbox import Outbox
from privcam_core.events.scene_report import Phase

# Between two key frames, in s.
KEY_FRAME_S = 2.0
# Between two REPORT whose events are the same and only measured anew, in s.
REFRESH_S = 5.0
# POSE messages per second; the page interpolates. Of a faster camera, frames are left out.
MAX_RATE_HZ = 10.0
# Frames do not come at equal distances: one may come this fraction of a period early.
_EARLY = 0.25


@dataclass(frozen=True)
class LiveFrame:
    """What the console takes of one Ω. digest: of the environment picture that holds."""

    hello: Hello
    digest: bytes
    pose: Pose


class CameraChannel:
    """One camera. clock: monotonic seconds. All calls come from one thread, that of the server."""

    def __init__(self, camera_id: str, clock: Callable[[], float]) -> None:
        self.camera_id = camera_id
        self.frame: LiveFrame | None = None
        self.bytes_sent = 0
        self._clock = clock
        self._watch = CameraWatch()
        self._told = State.OFFLINE
        self._report = Report(False, ())
        self._reported_s = float("-inf")
        self._key_s = float("-inf")
        self._due_s = float("-inf")
        self._outboxes: set[Outbox] = set()

    @property
    def clients(self) -> int:
        """How many look."""
        return len(self._outboxes)

    def state(self) -> CameraState:
        """Return the state of the camera."""
        return self._watch.state(self._clock())

    def take_frame(self, frame: LiveFrame) -> None:
        """Take the next Ω. Its environment picture must be there before, so that clients can get it."""
        now_s = self._clock()
        self._watch.take_omega(frame.pose.sight, now_s)
        # First of all: a client must not take what follows for live while it is blind, nor for stale when it lives.
        if self.state().state != self._told:
            self.tell_state()
        last = self.frame
        is_new = last is None or frame.hello != last.hello
        is_elsewhere = last is None or frame.digest != last.digest
        if not (is_new or is_elsewhere) and now_s < self._due_s - _EARLY / MAX_RATE_HZ:
            return
        self._due_s = max(self._due_s + 1.0 / MAX_RATE_HZ, now_s)
        self.frame = frame
        if is_new:
            self._send(encode_hello(frame.hello))
        if is_new or is_elsewhere:
            self._send(encode_env(Env(frame.digest)))
        is_key = is_new or now_s - self._key_s >= KEY_FRAME_S
        if is_key:
            self._key_s = now_s
        if self._outboxes:
            self._send(encode_pose(frame.pose, None if is_key or last is None else last.pose))

    def take_report(self, report: Report) -> None:
        """Take the newest report. It is sent where its events are others than before, else every few seconds."""
        now_s = self._clock()
        self._watch.take_report(now_s)
        is_other = _events_of(report) != _events_of(self._report)
        if is_other or (report != self._report and now_s - self._reported_s >= REFRESH_S):
            self._report, self._reported_s = report, now_s
            self._send(encode_report(report))

    def tell_state(self) -> None:
        """Send the state to every client: when it changed, and once a second."""
        state = self.state()
        self._told = state.state
        self._send(encode_state(state))

    def subscribe(self) -> Outbox:
        """Return the messages for a new client, beginning with all that it needs."""
        outbox = Outbox(self._snapshot)
        self._outboxes.add(outbox)
        return outbox

    def unsubscribe(self, outbox: Outbox) -> None:
        """Forget a client."""
        self._outboxes.discard(outbox)

    def _snapshot(self) -> list[bytes]:
        """Return what a client needs that knows nothing. The state comes first: the rest may be old."""
        messages = [encode_state(self.state())]
        if self.frame is not None:
            messages += [
                encode_hello(self.frame.hello),
                encode_env(Env(self.frame.digest)),
                encode_pose(self.frame.pose, None),
            ]
        messages.append(encode_report(self._report))
        self.bytes_sent += sum(map(len, messages))
        return messages

    def _send(self, message: bytes) -> None:
        for outbox in self._outboxes:
            outbox.put(message)
        self.bytes_sent += len(message) * len(self._outboxes)


def _events_of(report: Report) -> tuple[object, ...]:
    """Return what makes a report another one: which events, and of whom, but not how sure or by which measures."""
    return report.replay, tuple(
        replace(event, confidence=0, evidence="", phase=Phase.ENDED if event.phase is Phase.ENDED else Phase.ONGOING)
        for event in report.events
    )
