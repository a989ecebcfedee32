"""Which picture travels, when, and as what: whole, or as a patch on one that the other side has."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import replace
from math import inf

from privcam_core.images.environment import decode_environment
from privcam_core.types.omega import Environment
from privcam_link.patches import Picture, changed_pixels, encode_patch

# A room goes back and forth between a few pictures: somebody comes, hides a corner, leaves, and it is as before.
KEPT_PICTURES = 8
# Unpacked pictures are large: eight of 1080p would take 66 MB.
KEPT_BYTES = 64 * 1024 * 1024
# What is sent unasked: half a second of a slow line. A larger one waits until it is asked for, piece by piece.
PUSH_BYTES = 16 * 1024


class PictureSchedule:
    """Tells when a picture is due, and makes what is sent of it.

    A picture is due when its digest is new, and, with `refresh_s` > 0, the newest one again after so many seconds of
    `clock` (monotonic), whole, for subscribers that never ask. Several threads may use it: `due` is quick, `make` and
    `answer` are not.
    """

    def __init__(self, *, refresh_s: float = 0.0, clock: Callable[[], float] = time.monotonic) -> None:
        if not refresh_s >= 0:
            raise ValueError(f"refresh_s: {refresh_s} is not a number of seconds, 0: never")
        self._refresh_s = refresh_s or inf
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[bytes, tuple[Environment, Picture]] = OrderedDict()
        self._sent: set[bytes] = set()
        self._newest = b""
        self._whole_at = -inf if refresh_s else 0.0

    def due(self, digest: bytes) -> bool:
        """Say whether the picture with this digest, the one that holds now, has to be sent."""
        return digest != self._newest or self._clock() - self._whole_at >= self._refresh_s

    def make(self, environment: Environment) -> Environment | None:
        """Return a whole environment that is due as it is to be sent: on what was sent before, or whole.

        None where that is more than is sent unasked, unless it is time for a whole one.
        """
        with self._lock:
            now = self._clock()
            self._newest = environment.digest
            self._keep(environment)
            refresh = now - self._whole_at >= self._refresh_s
            made = environment if refresh else self._made(environment, self._sent)
            if len(made.png) > PUSH_BYTES and not refresh:
                return None
            self._sent.add(environment.digest)
            if not made.base:
                self._whole_at = now
            return made

    def answer(self, environment: Environment, have: Collection[bytes]) -> Environment:
        """Return a whole environment as it is sent to somebody who has the pictures with these digests."""
        with self._lock:
            self._keep(environment)
            self._sent.add(environment.digest)  # whoever asked has it when the next one is due
            return self._made(environment, have)

    def _keep(self, environment: Environment) -> None:
        if environment.digest not in self._kept:
            self._kept[environment.digest] = (environment, decode_environment(environment.png))
        self._kept.move_to_end(environment.digest)
        room = KEPT_BYTES // (4 * environment.height * environment.width)
        while len(self._kept) > max(1, min(KEPT_PICTURES, room)):
            self._kept.popitem(last=False)
        self._sent &= self._kept.keys()

    def _made(self, environment: Environment, have: Collection[bytes]) -> Environment:
        """Return the smaller one of the whole picture and the patch on the picture that is most like it."""
        known = self._kept.get(environment.digest)
        picture = known[1] if known else decode_environment(environment.png)
        size = environment.height, environment.width
        bases = [
            (digest, base)
            for digest, (other, base) in self._kept.items()
            if digest in have and digest != environment.digest and (other.height, other.width) == size
        ]
        if not bases:
            return environment
        digest, base = min(bases, key=lambda one: _cost(picture, one[1]))
        png = encode_patch(picture, base)
        return replace(environment, png=png, base=digest) if len(png) < len(environment.png) else environment


def _cost(picture: Picture, base: Picture) -> float:
    """Return roughly how large a patch is: what it shows counts, what it hides is flat."""
    changed = changed_pixels(picture, base)
    return float((changed & picture[1]).sum() + 0.01 * changed.sum())
