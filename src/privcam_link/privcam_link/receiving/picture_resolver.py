"""Puts the picture of the environment back into each Ω, which refers to it by digest, and keeps the order."""

import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import replace

from privcam_core.types.omega import Environment, Omega
from privcam_link.receiving.picture_store import MAX_WANTED, PictureStore
from privcam_link.receiving.reorder_buffer import LossReason


class PictureResolver:
    """Puts the pictures back into one stream of Ω of one camera.

    max_waiting: number of Ω that may wait. timeout_s: how long an Ω waits for a picture (seconds of `clock`,
    monotonic). While one waits, all after it wait: the order is kept. After that it is handed on by its digest alone:
    the subjects in it do not depend on the picture of the environment. `lost` counts by LossReason. Not for several
    threads at once.
    """

    def __init__(
        self,
        pictures: PictureStore,
        *,
        max_waiting: int = 256,
        timeout_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._pictures = pictures
        self._max_waiting = max_waiting
        self._timeout_s = timeout_s
        self._clock = clock
        self._waiting: deque[tuple[Omega, float]] = deque()  # and since when its picture is missing
        self._missing: dict[bytes, float] = {}  # since when digests are waited for, also in vain
        self.lost: Counter[LossReason] = Counter()

    @property
    def waiting(self) -> int:
        """Number of Ω that wait for a picture."""
        return len(self._waiting)

    def resolve(self, omegas: Sequence[Omega] = ()) -> list[Omega]:
        """Take Ω, in order, and return those that can be handed on now, oldest first.

        Called without any, it checks which pictures came or are overdue, and requests missing ones again.
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
            picture = self._pictures.get(environment.digest)
            if picture is not None and (picture.height, picture.width) == (environment.height, environment.width):
                self._missing.pop(environment.digest, None)
                ready.append(replace(omega, environment=replace(environment, png=picture.png)))
            elif (late := now - since >= self._timeout_s) or len(self._waiting) > self._max_waiting:
                self.lost[LossReason.NO_PICTURE if late else LossReason.TOO_MANY] += 1
                self._want(environment)
                ready.append(omega)
            else:
                break
            self._waiting.popleft()
        for environment in {one.environment.digest: one.environment for one, _ in self._waiting}.values():
            self._want(environment)  # the oldest first
        return ready

    def _want(self, environment: Environment) -> None:
        """Request a picture, unless it would be refused for its size."""
        if self._pictures.sizes.admits(environment.height, environment.width):
            self._pictures.want(environment.digest)
