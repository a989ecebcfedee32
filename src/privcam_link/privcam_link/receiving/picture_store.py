"""Stores the pictures of one camera's environments by digest, whole, and requests missing ones."""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from privcam_core.images.environment import decode_environment, encode_environment
from privcam_core.types.omega import Environment, InvalidOmega
from privcam_link.receiving.quotas import Limits, PictureSizes, ProcessorBudget
from privcam_link.validation import Reason, Rejected, open_environment, reason_of
from privcam_link.wire import MAX_HAVE

MAX_WANTED = 256
# For this long after an edge came, in s, a missing picture was missed and is not on its way.
MISSED_S = 5.0

Ask = Callable[[bytes, tuple[bytes, ...]], None]


class PictureStore:
    """Keeps the pictures of one camera and requests missing ones.

    ask: called with the wanted digest, and the digests of pictures that may be the base of a patch; must not wait, nor
    call back; `ended` reports its end. The first picture is requested at once. A changed one may be on its way already,
    behind more urgent data, and is requested after `grace_s`; again that long after a query without result.
    limits: sizes, and how many are kept; the least recently used go first. processor: pays for decoding. clock:
    monotonic seconds. `sizes` is the accepted size; `refused` counts pictures that were refused. Not for several
    threads at once.
    """

    def __init__(
        self,
        ask: Ask,
        *,
        limits: Limits,
        processor: ProcessorBudget,
        grace_s: float = 0.5,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._limits = limits
        self.processor = processor
        self._grace_s = grace_s
        self._clock = clock
        self.sizes = PictureSizes(limits, clock)
        self.refused: Counter[Reason] = Counter()
        self._known: OrderedDict[bytes, Environment] = OrderedDict()
        self._wanted: dict[bytes, float] = {}  # since when, or since the last query ended
        self._asking: set[bytes] = set()
        self._came_s = -np.inf
        self._used_bytes = 0
        self._used_pixels = 0

    @property
    def kept(self) -> int:
        """Number of pictures that are kept."""
        return len(self._known)

    def learn(self, environment: Environment) -> None:
        """Take a picture, whole or as a patch; a patch on an unknown picture is requested as a whole.

        Raises Rejected for a picture that does not match its digest, size and confirmed fraction, that has a size which
        is not accepted now, and for every picture while the camera has used up its processor time.
        """
        digest = environment.digest
        if digest in self._known:
            return
        try:
            self.sizes.require(environment)
            if not self.processor.has_any:
                raise Rejected(Reason.RATE, "pictures of this camera take more processor time than allowed")
            with self.processor.measured():
                whole = self._open(environment)
        except InvalidOmega as error:
            self.refused[reason_of(error)] += 1
            raise Rejected(reason_of(error), str(error)) from error
        except Rejected as rejection:
            self.refused[rejection.reason] += 1
            raise
        if whole is None:
            self.want(digest)
            return
        self.sizes.pin(whole.height, whole.width)
        self._known[digest] = whole
        self._wanted.pop(digest, None)
        self._used_bytes += len(whole.png)
        self._used_pixels += whole.height * whole.width
        while len(self._known) > 1 and self._is_over():
            _, oldest = self._known.popitem(last=False)
            self._used_bytes -= len(oldest.png)
            self._used_pixels -= oldest.height * oldest.width

    def get(self, digest: bytes) -> Environment | None:
        """Return the whole picture with this digest, None if it is not known."""
        known = self._known.get(digest)
        if known is not None:
            self._known.move_to_end(digest)
        return known

    def came(self) -> None:
        """Take note that the edge came, or came again: pictures that it sent before may be missing."""
        self._came_s = self._clock()

    def want(self, digest: bytes) -> None:
        """Request a picture when it is due, one at a time: the next may be a patch on it.

        While the camera has used up its processor time for pictures, none is requested.
        """
        now = self._clock()
        if digest not in self._wanted:
            missed = now - self._came_s < MISSED_S
            self._wanted[digest] = now if self._known and not missed else -np.inf
            while len(self._wanted) > MAX_WANTED:
                del self._wanted[next(iter(self._wanted))]
        if not self._asking and self.processor.has_any and now - self._wanted[digest] >= self._grace_s:
            self._asking.add(digest)
            have = tuple(reversed(self._known))
            self._ask(digest, have[:MAX_HAVE])

    def ended(self, digest: bytes) -> None:
        """Take note that a query has ended; a picture that it brought was learnt before."""
        self._asking.discard(digest)
        if digest not in self._known:
            self._wanted[digest] = self._clock()

    def _is_over(self) -> bool:
        limits = self._limits
        return (
            len(self._known) > limits.kept_pictures
            or self._used_bytes > limits.kept_bytes
            or self._used_pixels > limits.kept_pixels
        )

    def _open(self, environment: Environment) -> Environment | None:
        """Return the whole picture, checked; None for a patch on an unknown one. Raises InvalidOmega."""
        if not environment.base:
            open_environment(environment)
            return environment
        base = self.get(environment.base)
        if base is None:
            return None
        plate, confirmed_mask = open_environment(environment, decode_environment(base.png))
        try:
            return replace(environment, png=encode_environment(plate, confirmed_mask), base=b"")
        except ValueError as error:
            raise InvalidOmega("environment.png", f"the patched picture: {error}") from error
