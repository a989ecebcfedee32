"""When a picture travels with its Ω and when its digest is enough."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace

from privcam_core.omega import Omega

# Pictures that can still be asked for: the newest, and those that Ω in flight may name.
KEPT_PICTURES = 4


class PictureSchedule:
    """Takes the picture out of every Ω that does not need it, and keeps the newest ones for whoever asks.

    A picture is sent when its digest is new and again every `refresh_s` (seconds of `clock`, monotonic). Other threads
    may ask while Ω pass.
    """

    def __init__(self, *, refresh_s: float = 60.0, clock: Callable[[], float] = time.monotonic) -> None:
        if not refresh_s > 0:
            raise ValueError(f"refresh_s: {refresh_s} is not a positive number of seconds")
        self._refresh_s = refresh_s
        self._clock = clock
        self._lock = threading.Lock()
        self._newest: OrderedDict[bytes, Omega] = OrderedDict()
        self._sent: tuple[bytes, float] | None = None

    def next(self, omega: Omega) -> Omega:
        """Return Ω as it is to be sent: whole, or by digest alone. `omega` is as the gate returned it, with its PNG."""
        digest = omega.environment.digest
        now = self._clock()
        with self._lock:
            self._newest[digest] = omega
            self._newest.move_to_end(digest)
            while len(self._newest) > KEPT_PICTURES:
                self._newest.popitem(last=False)
            due = self._sent is None or self._sent[0] != digest or now - self._sent[1] >= self._refresh_s
            if due:
                self._sent = (digest, now)
        return omega if due else replace(omega, environment=omega.environment.without_png())

    def answer(self, digest: bytes) -> Omega | None:
        """Return the newest Ω with this picture in it, None if it is not kept any more."""
        with self._lock:
            return self._newest.get(digest)
