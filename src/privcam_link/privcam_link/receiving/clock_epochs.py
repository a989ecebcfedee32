"""Order of the Ω of one camera in time, across jumps of its clock, and the offset of that clock.

Within an epoch of the camera's clock stamps rise, and none is ahead of what the clock can say by now. A clock that was
set back or forward begins a new epoch. Ω that do not fit are not handed on; several of them in a row, whose numbers in
the edge's queue are new and whose stamps advance as fast as they arrive, show that the clock was set. So one wrong or
forged stamp never silences the true ones, and a repeated sample, whose number is old, never begins an epoch.
"""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from privcam_core.types.omega import SyncKey
from privcam_core.types.time import NS_PER_S
from privcam_link.validation import MAX_AHEAD_NS, Reason, Rejected, follows

# Ω in a row that show that a clock was set.
CONFIRMING = 3
# … over at least this time, in ns: a burst of stored Ω arrives faster than time passes.
CONFIRM_NS = NS_PER_S // 4
# … whose stamps and arrivals advance alike to within this, in ns: delays of the network differ by less. Within an epoch
# a stamp may be ahead of what the camera's clock can say by this: so long can one wrong stamp silence true ones.
IN_STEP_NS = NS_PER_S
# Epochs that a camera may begin in a minute: a clock is set now and then, perhaps twice in a row, not all the time.
EPOCHS_PER_MINUTE = 4
# The offset is the smallest delay of the last 30 of these spans, in ns.
_SPAN_NS = 10 * NS_PER_S
_SPANS = 30


def make_anchored_clock() -> Callable[[], int]:
    """Return a clock in ns since the epoch that does not jump when this host's clock is set."""
    start = time.time_ns() - time.monotonic_ns()
    return lambda: start + time.monotonic_ns()


class Order(Enum):
    """Where an Ω belongs."""

    NEWER = "newer"  # after all before it
    OLD = "old"  # came before, or is older than the newest
    NEW_EPOCH = "new_epoch"  # the camera's clock was set; this is the newest


@dataclass
class _Candidate:
    """Ω that would begin a new epoch. arrived_ns: of the first one."""

    first: SyncKey
    arrived_ns: int
    last: SyncKey
    last_n: int
    count: int = 1


class ClockEpochs:
    """Judges the live Ω of one camera. now_ns: this host's clock, ns, which does not jump.

    `epochs` counts jumps of the camera's clock.
    """

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self._now_ns = now_ns
        self._newest: SyncKey | None = None
        self._newest_n = 0
        self._candidate: _Candidate | None = None
        self._began_ns: deque[int] = deque(maxlen=EPOCHS_PER_MINUTE)
        self._delays: deque[tuple[int, int]] = deque(maxlen=_SPANS)  # begin of a span, smallest delay in it
        self.epochs = 0

    @property
    def newest(self) -> SyncKey | None:
        """κ of the newest Ω of this epoch."""
        return self._newest

    @property
    def behind_ns(self) -> int | None:
        """By how much the camera's clock is behind this host's, ns; negative: ahead. None before the first Ω.

        It is the smallest time from stamp to arrival of the last minutes, so the way of the quickest Ω is in it.
        """
        delay_ns = self._delay_ns
        # This host's clock may have been set since the start of the clock that does not jump.
        return None if delay_ns is None else delay_ns + time.time_ns() - self._now_ns()

    @property
    def _delay_ns(self) -> int | None:
        return min((delay for _, delay in self._delays), default=None)

    def begin_queue(self) -> None:
        """Take note that the edge numbers its Ω anew."""
        self._newest_n, self._candidate = 0, None

    def judge(self, key: SyncKey, n: int) -> Order:
        """Say where a live Ω belongs, number n of the edge's queue. Raises Rejected for one from the future."""
        is_ahead = self._is_ahead(key)
        if not is_ahead and (self._newest is None or follows(key, self._newest)):
            self._accept(key, n)
            return Order.NEWER
        if n <= self._newest_n or (self._newest is not None and key == self._newest):
            return Order.OLD
        if self._confirms(key, n):
            return Order.NEW_EPOCH
        if is_ahead:
            raise Rejected(Reason.ORDER, f"key: {key} is from the future; set the clocks of camera, gateway and cloud")
        return Order.OLD

    def follows_newest(self, key: SyncKey, n: int) -> bool:
        """Accept an Ω of a reply into the live stream if it is newer than all before."""
        is_newer = self._newest is None or (n > self._newest_n and follows(key, self._newest))
        if not is_newer or self._is_ahead(key):
            return False
        self._accept(key, n, live=False)
        return True

    def _is_ahead(self, key: SyncKey) -> bool:
        now_ns, delay_ns = self._now_ns(), self._delay_ns
        if delay_ns is None:
            return key.stamp_ns > now_ns + MAX_AHEAD_NS
        # The first Ω may have been late, so a stamp before now is no sign of a clock that was set.
        return key.stamp_ns > now_ns + max(0, -delay_ns) + IN_STEP_NS

    def _accept(self, key: SyncKey, n: int, *, live: bool = True) -> None:
        self._newest, self._newest_n, self._candidate = key, max(n, self._newest_n), None
        if not live:
            return  # it waited at the edge, so its delay tells nothing of the clocks
        now_ns = self._now_ns()
        delay_ns = now_ns - key.stamp_ns
        if self._delays and now_ns - self._delays[-1][0] < _SPAN_NS:
            began_ns, smallest_ns = self._delays[-1]
            self._delays[-1] = began_ns, min(smallest_ns, delay_ns)
        else:
            self._delays.append((now_ns, delay_ns))

    def _may_begin(self, now_ns: int) -> bool:
        return len(self._began_ns) < EPOCHS_PER_MINUTE or now_ns - self._began_ns[0] >= 60 * NS_PER_S

    def _confirms(self, key: SyncKey, n: int) -> bool:
        """Take an Ω that fits no epoch; return whether the last ones together begin a new one."""
        now_ns, candidate = self._now_ns(), self._candidate
        if candidate is not None and n <= candidate.last_n:
            return False
        if candidate is None or not follows(key, candidate.last) or not _in_step(candidate, key, now_ns):
            self._candidate = _Candidate(key, now_ns, key, n)
            return False
        candidate.last, candidate.last_n, candidate.count = key, n, candidate.count + 1
        passed_ns = now_ns - candidate.arrived_ns
        if candidate.count < CONFIRMING or passed_ns < CONFIRM_NS or not self._may_begin(now_ns):
            return False
        self.epochs += 1
        self._began_ns.append(now_ns)
        self._delays.clear()
        self._accept(key, n)
        return True


class ReplayOrder:
    """Orders the Ω of a replay, by their numbers in the edge's queue alone.

    A replay may go faster than time, and begins anew as often as somebody lets it; there is no present that its stamps
    could be wrong against. `epochs` counts how often they went back.
    """

    def __init__(self) -> None:
        self._newest: SyncKey | None = None
        self._newest_n = 0
        self.epochs = 0

    @property
    def newest(self) -> SyncKey | None:
        """κ of the newest Ω."""
        return self._newest

    def begin_queue(self) -> None:
        """Take note that the edge numbers its Ω anew."""
        self._newest_n = 0

    def judge(self, key: SyncKey, n: int) -> Order:
        """Say where an Ω belongs, number n of the edge's queue."""
        if n <= self._newest_n or key == self._newest:
            return Order.OLD
        order = Order.NEWER if self._newest is None or follows(key, self._newest) else Order.NEW_EPOCH
        self.epochs += order is Order.NEW_EPOCH
        self._newest, self._newest_n = key, n
        return order

    def follows_newest(self, key: SyncKey, n: int) -> bool:
        """Accept an Ω of a reply into the live stream if its number is above all before."""
        return self.judge(key, n) is not Order.OLD


def _in_step(candidate: _Candidate, key: SyncKey, now_ns: int) -> bool:
    advanced_ns = key.stamp_ns - candidate.first.stamp_ns
    return abs(advanced_ns - (now_ns - candidate.arrived_ns)) <= IN_STEP_NS
