"""What one camera may cost a cloud: samples, bytes, processor time, and pictures. Every camera has quotas of its own.

A camera that exceeds a quota loses its own Ω or pictures, counted, and costs the others nothing.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from privcam_core.types.omega import MAX_HEIGHT, MAX_WIDTH, Environment, InvalidOmega
from privcam_link.cdr import MAX_BARE_BYTES
from privcam_link.validation import Reason, Rejected

MIB = 1024 * 1024
MPX = 1_000_000

# Samples that may come at once, in s of the rate: after a stall of the network they come together.
RATE_BURST_S = 2.0
# Bytes that may come at once, in s of the rate: one picture of the largest size, and the Ω that wait behind it.
BYTES_BURST_S = 8.0
# Processor time that may be used at once, in s.
PROCESSOR_BURST_S = 1.0
# Width and height of a PNG, the first fields of its first chunk.
_SIZE_AT, _SIZE_END = 16, 24


@dataclass(frozen=True)
class Limits:
    """Quotas of one camera.

    max_rate_hz: puts per second; a gate lets 60 Ω per second through by default, and some come again with a picture.
    bytes_per_s, bytes_per_hour: beyond these, Ω without a picture are still taken, because their rate bounds them and
    an alarm must not wait for a picture. processor: fraction of one core for Ω; picture_processor: for pictures.
    max_pixels: of one picture. size_change_s: the size of the pictures may change once in this time; whoever watches
    rebuilds the drawing then. kept_pictures, kept_pixels, kept_bytes: pictures in memory, and the size of their PNG.
    """

    max_rate_hz: float = 100.0
    bytes_per_s: float = 4.0 * MIB
    bytes_per_hour: float = 1024.0 * MIB
    processor: float = 0.15
    picture_processor: float = 0.1
    max_pixels: int = 4 * MPX
    size_change_s: float = 60.0
    kept_pictures: int = 64
    kept_pixels: int = 64 * MPX
    kept_bytes: int = 64 * MIB


class TokenBucket:
    """Allows `rate` per second on average and `burst` at once. clock: monotonic seconds."""

    def __init__(self, rate: float, burst: float, clock: Callable[[], float]) -> None:
        self._rate = rate
        self._burst = burst
        self._clock = clock
        self._tokens = burst
        self._filled_s = clock()

    @property
    def has_any(self) -> bool:
        """Whether anything is left."""
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._filled_s) * self._rate)
        self._filled_s = now
        return self._tokens > 0

    def charge(self, amount: float) -> None:
        """Take an amount whose size was only known afterwards: the bucket may owe some."""
        self._tokens -= amount


class ProcessorBudget:
    """Processor time of a camera, measured on the thread that works for it. share: fraction of one core."""

    def __init__(self, share: float, clock: Callable[[], float]) -> None:
        self._bucket = TokenBucket(share, PROCESSOR_BURST_S, clock)
        self.spent_s = 0.0

    @property
    def has_any(self) -> bool:
        """Whether the camera may use the processor now."""
        return self._bucket.has_any

    @contextmanager
    def measured(self, *, without: "ProcessorBudget | None" = None) -> Iterator[None]:
        """Charge the processor time of the block, except for what it charged to `without`."""
        started_s, other_s = time.thread_time(), 0.0 if without is None else without.spent_s
        try:
            yield
        finally:
            used_s = time.thread_time() - started_s
            used_s -= 0.0 if without is None else without.spent_s - other_s
            self.spent_s += used_s
            self._bucket.charge(used_s)


class Traffic:
    """Counts the samples and bytes of a camera against its limits. Not for several threads at once."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._samples = TokenBucket(limits.max_rate_hz, max(1.0, limits.max_rate_hz * RATE_BURST_S), clock)
        self._second = TokenBucket(limits.bytes_per_s, limits.bytes_per_s * BYTES_BURST_S, clock)
        self._hour = TokenBucket(limits.bytes_per_hour / 3600.0, limits.bytes_per_hour, clock)

    @property
    def may_fetch(self) -> bool:
        """Whether bytes are left for a picture, or for the backlog."""
        return self._second.has_any and self._hour.has_any

    def admit(self, size: int) -> None:
        """Count one put of this many bytes. Raises Rejected for one too many."""
        if not self._samples.has_any:
            raise Rejected(Reason.RATE, f"more than {self._limits.max_rate_hz:g} puts per second (max_rate_hz)")
        self._samples.charge(1.0)
        if size > MAX_BARE_BYTES and not self.may_fetch:
            raise Rejected(
                Reason.RATE,
                f"a picture of {size} bytes, beyond {self._limits.bytes_per_s / MIB:g} MiB per second or "
                f"{self._limits.bytes_per_hour / MIB:g} MiB per hour (max_mib_per_s, max_mib_per_hour)",
            )
        self.count(size)

    def count(self, size: int) -> None:
        """Count bytes that were requested."""
        self._second.charge(size)
        self._hour.charge(size)


class PictureSizes:
    """Accepts pictures of one size: that of the first good one. A camera may change it once in `size_change_s`."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        self._limits = limits
        self._clock = clock
        self._pinned: tuple[int, int] | None = None
        self._pinned_s = 0.0
        self.changes = 0

    def admits(self, height: int, width: int) -> bool:
        """Say whether a picture of this size would be taken now."""
        if height * width > self._limits.max_pixels:
            return False
        is_pinned = self._pinned in (None, (height, width))
        return is_pinned or self._clock() - self._pinned_s >= self._limits.size_change_s

    def require(self, environment: Environment) -> None:
        """Raise InvalidOmega for a picture of another size than allowed, or whose PNG has another than it says.

        Nothing is unpacked: only the header of the PNG is read.
        """
        height, width = environment.height, environment.width
        if not self.admits(height, width):
            raise InvalidOmega(
                "environment.size",
                f"{width}x{height} px is over {self._limits.max_pixels} px (max_megapixels), or another size than "
                f"{self._pinned} (height, width) within {self._limits.size_change_s:g} s",
            )
        stated = (
            int.from_bytes(environment.png[_SIZE_AT : _SIZE_AT + 4], "big"),
            int.from_bytes(environment.png[_SIZE_AT + 4 : _SIZE_END], "big"),
        )
        if stated != (width, height):
            raise InvalidOmega("environment.png", f"its header says {stated} px, the environment {(width, height)}")

    def pin(self, height: int, width: int) -> None:
        """Take note that a picture of this size was good."""
        if self._pinned != (height, width):
            self.changes += self._pinned is not None
            self._pinned, self._pinned_s = (height, width), self._clock()


def require_small(environment: Environment, max_pixels: int) -> None:
    """Raise Rejected for an Ω that states a size over the limit: others allocate pictures of the stated size."""
    if environment.height * environment.width > max_pixels:
        raise Rejected(
            Reason.PICTURE,
            f"environment.size: {environment.width}x{environment.height} px is over {max_pixels} px (max_megapixels); "
            f"the format allows {MAX_WIDTH}x{MAX_HEIGHT}",
        )
