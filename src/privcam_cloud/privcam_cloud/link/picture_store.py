"""Stores the pictures of environments by camera and digest, whole, and requests missing ones."""

import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from privcam_core.images.environment import decode_environment, encode_environment
from privcam_core.types.omega import Environment
from privcam_link.validation import open_environment
from privcam_link.wire import MAX_HAVE

MEMORY_BYTES = 256 * 1024 * 1024
# Memory of a picture beside its PNG: a sender could send millions of a single pixel.
_OVERHEAD_BYTES = 2048
MAX_WANTED = 256
# For this long after an edge came, in s, a missing picture was missed and is not on its way.
MISSED_S = 5.0

Ask = Callable[[str, bytes, tuple[bytes, ...]], None]


class PictureStore:
    """Keeps pictures and requests missing ones.

    ask: called with camera_id, the wanted digest, and the digests of pictures that may be the base of a patch; must
    not wait, nor call back; `ended` reports its end. The first picture of a camera is requested at once. A changed one
    may be on its way already, behind more urgent data, and is requested after `grace_s`; again that long after a query
    without result. memory: bytes of PNG kept, the least recently used go first. clock: monotonic seconds. Not for
    several threads at once.
    """

    def __init__(
        self,
        ask: Ask,
        *,
        grace_s: float = 0.5,
        memory: int = MEMORY_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._grace_s = grace_s
        self._memory = memory
        self._clock = clock
        self._known: OrderedDict[tuple[str, bytes], Environment] = OrderedDict()
        self._wanted: dict[tuple[str, bytes], float] = {}  # since when, or since the last query ended
        self._asking: set[tuple[str, bytes]] = set()
        self._came: dict[str, float] = {}
        self._used = 0

    def learn(self, environment: Environment) -> None:
        """Take a picture, whole or as a patch; a patch on an unknown picture is requested as a whole.

        Raises InvalidOmega for a picture that does not match its digest, size and confirmed fraction.
        """
        camera_id, digest = environment.key.camera_id, environment.digest
        if (camera_id, digest) in self._known:
            return
        if environment.base:
            base = self.get(camera_id, environment.base)
            if base is None:
                self.want(camera_id, digest)
                return
            plate, confirmed_mask = open_environment(environment, decode_environment(base.png))
            environment = replace(environment, png=encode_environment(plate, confirmed_mask), base=b"")
        else:
            open_environment(environment)
        self._known[camera_id, digest] = environment
        self._wanted.pop((camera_id, digest), None)
        self._used += len(environment.png) + _OVERHEAD_BYTES
        while self._used > self._memory and len(self._known) > 1:
            _, oldest = self._known.popitem(last=False)
            self._used -= len(oldest.png) + _OVERHEAD_BYTES

    def get(self, camera_id: str, digest: bytes) -> Environment | None:
        """Return the whole picture with this digest, None if it is not known."""
        known = self._known.get((camera_id, digest))
        if known is not None:
            self._known.move_to_end((camera_id, digest))
        return known

    def came(self, camera_id: str) -> None:
        """Take note that the edge of a camera came, or came again: pictures that it sent before may be missing."""
        self._came[camera_id] = self._clock()

    def want(self, camera_id: str, digest: bytes) -> None:
        """Request a picture when it is due, one of a camera at a time: the next may be a patch on it."""
        key, now = (camera_id, digest), self._clock()
        have = tuple(known for camera, known in reversed(self._known) if camera == camera_id)
        if key not in self._wanted:
            missed = now - self._came.get(camera_id, -np.inf) < MISSED_S
            self._wanted[key] = now if have and not missed else -np.inf
            while len(self._wanted) > MAX_WANTED:
                del self._wanted[next(iter(self._wanted))]
        asking = any(camera == camera_id for camera, _ in self._asking)
        if not asking and now - self._wanted[key] >= self._grace_s:
            self._asking.add(key)
            self._ask(camera_id, digest, have[:MAX_HAVE])

    def ended(self, camera_id: str, digest: bytes) -> None:
        """Take note that a query has ended; a picture that it brought was learnt before."""
        key = (camera_id, digest)
        self._asking.discard(key)
        if key not in self._known:
            self._wanted[key] = self._clock()
