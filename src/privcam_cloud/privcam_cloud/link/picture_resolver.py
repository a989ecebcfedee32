"""From Ω by digest back to Ω with its picture: nothing is guessed, nothing is shown out of order."""

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from privcam_cloud.link.picture_store import MAX_WANTED, Pictures
from privcam_cloud.link.reorder_buffer import Lost
from privcam_core.types.omega import Omega


class PictureLane:
    """Puts the pictures back into one stream of Ω of one camera.

    hold: Ω that may wait, hold_s: how long a picture is waited for (seconds of `clock`, monotonic). While one waits,
    all after it wait: order is kept. After that each goes on by its digest alone, at once: who it shows does not hang
    on the picture of the room. `lost` counts by Lost. Not for several threads at once.
    """

    def __init__(
        self,
        pictures: Pictures,
        *,
        hold: int = 256,
        hold_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pictures = pictures
        self._hold = hold
        self._hold_s = hold_s
        self._clock = clock
        self._waiting: deque[tuple[Omega, float]] = deque()  # and since when its picture is missing
        self._missing: dict[bytes, float] = {}  # since when, the digests that are waited for, or were in vain
        self.lost: Counter[Lost] = Counter()

    @property
    def waiting(self) -> int:
        """Number of Ω that wait for a picture."""
        return len(self._waiting)

    def offer(self, omegas: Sequence[Omega] = ()) -> list[Omega]:
        """Take Ω, in order, and return what can be handed on now, oldest first.

        Called without any it looks whether something came, or waited too long, and asks again where needed.
        """
        now = self._clock()
        for omega in omegas:
            since = self._missing.setdefault(omega.environment.digest, now)
            self._waiting.append((replace(omega, environment=omega.environment.without_png()), since))
            while len(self._missing) > MAX_WANTED:
                del self._missing[next(iter(self._missing))]
        ready: list[Omega] = []
        while self._waiting:
            omega, since = self._waiting[0]
            environment = omega.environment
            picture = self._pictures.get(omega.key.camera_id, environment.digest)
            if picture is not None and (picture.height, picture.width) == (environment.height, environment.width):
                self._missing.pop(environment.digest, None)
                ready.append(replace(omega, environment=replace(environment, png=picture.png)))
            elif (late := now - since >= self._hold_s) or len(self._waiting) > self._hold:
                self.lost[Lost.NO_PICTURE if late else Lost.TOO_MANY] += 1
                self._pictures.want(omega.key.camera_id, environment.digest)
                ready.append(omega)
            else:
                break
            self._waiting.popleft()
        wanted = ((omega.key.camera_id, omega.environment.digest) for omega, _ in self._waiting)
        for camera_id, digest in dict.fromkeys(wanted):  # the oldest first
            self._pictures.want(camera_id, digest)
        return ready
