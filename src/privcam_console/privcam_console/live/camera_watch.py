"""Decides whether a camera is live, from what came and when. The clock is the server's own, never the camera's."""

from privcam_console.live.messages import CameraState, State
from privcam_core.types.sight import Sight, is_blind

# Without Ω for so long, in s, what is on the screen may be wrong.
STALE_S = 2.0
# For so long, in s, the camera counts as gone.
OFFLINE_S = 30.0
# Without a report for so long, in s, while Ω come, nothing is recognised.
SILENT_S = 5.0


class CameraWatch:
    """Remembers when the last Ω and the last report came. All times are monotonic seconds."""

    def __init__(self) -> None:
        self._omega_s: float | None = None
        self._report_s: float | None = None
        self._sight = Sight.UNKNOWN

    def take_omega(self, sight: Sight, now_s: float) -> None:
        """Note that an Ω came."""
        self._omega_s, self._sight = now_s, sight

    def take_report(self, now_s: float) -> None:
        """Note that a report came."""
        self._report_s = now_s

    def state(self, now_s: float) -> CameraState:
        """Return the state of the camera."""
        recognised = self._report_s is not None and now_s - self._report_s <= SILENT_S
        if self._omega_s is None:
            return CameraState(State.OFFLINE, Sight.UNKNOWN, 0, recognised)
        age_s = max(now_s - self._omega_s, 0.0)
        if age_s > OFFLINE_S:
            state = State.OFFLINE
        elif age_s > STALE_S:
            state = State.STALE
        else:
            state = State.BLIND if is_blind(self._sight) else State.LIVE
        return CameraState(state, self._sight, round(1000 * age_s), recognised)
