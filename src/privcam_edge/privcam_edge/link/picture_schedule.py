"""Decides when a picture is sent, and whether it is sent whole or as a patch on a picture that the cloud has."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection
from dataclasses import replace
from math import inf

from privcam_core.images.environment import decode_environment
from privcam_core.types.omega import Environment
from privcam_link.patches import Picture, changed_pixels, encode_patch

# The environment alternates between a few pictures: a subject enters, hides a corner, leaves, and it is as before.
KEPT_PICTURES = 8
# Unpacked pictures are large: eight of 1080p would take 66 MB.
KEPT_BYTES = 64 * 1024 * 1024
# Largest picture that is sent without a query: half a second on a slow line. A larger one is queried in pieces.
PUSH_BYTES = 16 * 1024


class PictureSchedule:
    """Decides when a picture is due, and makes the environment that is sent.

    A picture is due when its digest is new. With `refresh_s` > 0 the newest one is due again, whole, after this many
    seconds of `clock` (monotonic), for subscribers that never query. Several threads may use it: `due` is quick, `make`
    and `make_reply` are not.
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
        """Return whether the picture with this digest, the current one, has to be sent."""
        return digest != self._newest or self._clock() - self._whole_at >= self._refresh_s

    def make(self, environment: Environment) -> Environment | None:
        """Return a due environment as it is sent: as a patch on a picture that was sent before, or whole.

        environment: with its whole picture. Returns None if the result is too large to be sent without a query, unless
        a refresh is due.
        """
        with self._lock:
            now = self._clock()
            self._newest = environment.digest
            self._keep(environment)
            refresh = now - self._whole_at >= self._refresh_s
            made = environment if refresh else self._compressed(environment, self._sent)
            if len(made.png) > PUSH_BYTES and not refresh:
                return None
            self._sent.add(environment.digest)
            if not made.base:
                self._whole_at = now
            return made

    def make_reply(self, environment: Environment, have: Collection[bytes]) -> Environment:
        """Return an environment as it is sent to a consumer that has the pictures with the digests `have`."""
        with self._lock:
            self._keep(environment)
            self._sent.add(environment.digest)  # the consumer has it when the next one is due
            return self._compressed(environment, have)

    def _keep(self, environment: Environment) -> None:
        if environment.digest not in self._kept:
            self._kept[environment.digest] = (environment, decode_environment(environment.png))
        self._kept.move_to_end(environment.digest)
        capacity = KEPT_BYTES // (4 * environment.height * environment.width)
        while len(self._kept) > max(1, min(KEPT_PICTURES, capacity)):
            self._kept.popitem(last=False)
        self._sent &= self._kept.keys()

    def _compressed(self, environment: Environment, have: Collection[bytes]) -> Environment:
        """Return the smaller one of the whole picture and the patch on the most similar picture."""
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
    """Return the approximate size of a patch: confirmed pixels count, other pixels compress well."""
    changed = changed_pixels(picture, base)
    return float((changed & picture[1]).sum() + 0.01 * changed.sum())
