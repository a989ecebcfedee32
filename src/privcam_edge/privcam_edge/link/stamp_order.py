"""Decides whether κ of a sealed Ω comes after the last one. The clock that anybody may set decides nothing here.

A seal holds the time of sealing on the clock since boot. That clock orders the Ω: each seal passes once, and no old
one. It bounds stamps too: they grow, but from the begin of their *run* on never by more than that clock did and
MAX_AHEAD_NS. Where a stamp does not keep to that, the camera's clock was set or the camera was started again, and a new
run begins at once: so a wrong stamp keeps no later Ω back. New runs are limited in number, because each may begin at
any stamp.
"""

from collections.abc import Callable

from privcam_core.types.omega import SyncKey
from privcam_core.types.seals import Seal
from privcam_core.types.time import NS_PER_S
from privcam_edge.link.sealing import MAX_SEAL_AGE_NS
from privcam_edge.link.token_bucket import TokenBucket
from privcam_link.validation import MAX_AHEAD_NS, Reason, Rejected, follows

# New runs of stamps at once, and per minute.
RUNS_BURST = 4
RUNS_PER_MINUTE = 12.0
# Frame numbers between two Ω: frames may be skipped, but not more than a camera makes in the time between.
MAX_SKIPPED_FRAMES = 1000
MAX_FRAME_RATE_HZ = 250


class StampOrder:
    """Orders the κ of one camera.

    last: κ of the last Ω that passed before a restart. clock: ns since boot, as in the seals. `runs` counts the runs of
    stamps after the first.
    """

    def __init__(self, clock: Callable[[], int], last: SyncKey | None = None) -> None:
        self._clock = clock
        self._last = last
        self._started_ns = clock()
        self._sealed_ns = 0
        self._run: Seal | None = None
        self._tokens = TokenBucket(RUNS_BURST, RUNS_PER_MINUTE / 60.0, lambda: clock() / NS_PER_S)
        self.runs = 0

    def require_turn(self, seal: Seal) -> None:
        """Raise Rejected unless the Ω of this genuine seal may pass now. Changes nothing."""
        now, key = self._clock(), seal.key
        if seal.sealed_ns > now:
            raise Rejected(Reason.ORDER, f"key: {key} was sealed {(seal.sealed_ns - now) / NS_PER_S:.1f} s from now")
        if now - seal.sealed_ns > MAX_SEAL_AGE_NS:
            raise Rejected(Reason.ORDER, f"key: {key} was sealed {(now - seal.sealed_ns) / NS_PER_S:.1f} s ago")
        if seal.sealed_ns <= self._sealed_ns:
            raise Rejected(Reason.ORDER, f"key: {key} was sealed before {self._last}, which passed")
        if self._last is not None and self._continues(seal, self._last):
            return
        # What was sealed before this start may have passed the gate before this one.
        if key == self._last or seal.sealed_ns <= self._started_ns:
            raise Rejected(Reason.ORDER, f"key: {key} does not come after {self._last}")
        if self._last is not None and not self._tokens.has(1.0):
            raise Rejected(
                Reason.ORDER,
                f"key: {key} begins one more run of stamps after {self._last}, limit {RUNS_PER_MINUTE:g} per minute; "
                "look for a camera that starts again and again, or a clock that is set all the time",
            )

    def accept(self, seal: Seal) -> None:
        """Note that the Ω of this seal passed."""
        if self._last is not None and not self._continues(seal, self._last):
            self._tokens.take(1.0)
            self._run = None
            self.runs += 1
        self._run = self._run or seal
        self._last, self._sealed_ns = seal.key, seal.sealed_ns

    def _continues(self, seal: Seal, last: SyncKey) -> bool:
        """Say whether κ continues the run of stamps of `last`."""
        key, run = seal.key, self._run
        if not follows(key, last):
            return False
        if run is None:
            return True  # when the last one passed, before this start, is not known
        passed_ns = seal.sealed_ns - self._sealed_ns
        skipped = MAX_SKIPPED_FRAMES + MAX_FRAME_RATE_HZ * passed_ns // NS_PER_S
        is_near = key.stamp_ns - run.key.stamp_ns <= seal.sealed_ns - run.sealed_ns + MAX_AHEAD_NS
        return is_near and last.frame_id < key.frame_id <= last.frame_id + skipped
