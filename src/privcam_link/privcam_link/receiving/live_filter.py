"""Tells Ω that came over the link just now from all others, which are replays. Knows no ROS.

Ω travel inside of the cloud as ordinary messages, so that a viewer, a recorder and a replay can use them. So everybody
on the host can publish any Ω there: a bag that was recorded live is, byte for byte, what the bridge published then. The
bridge therefore seals the digest of each Ω that it receives, with the key of this start, and each seal counts once. An
Ω without such a seal is a replay, whatever it says of itself: there is nothing that a replay could leave out.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

from privcam_core.types.omega import Omega
from privcam_link import cdr

# An Ω without a seal waits for it this long, in s: two topics are not delivered in one order.
SEAL_WAIT_S = 1.0
# Live Ω are said to come for so long after the last one, in s. Replays are not handed on in this time.
LIVE_S = 10.0
MAX_WAITING = 256
# Seals whose Ω never came.
MAX_SEALS = 1024


def digest_of(omega: Omega) -> bytes:
    """Return the SHA-256 of an Ω, its environment by digest alone."""
    return sha256(cdr.encode(replace(omega, environment=omega.environment.without_png()))).digest()


class LiveFilter:
    """Marks and orders the Ω of one camera.

    hand_on: called with each Ω, which says rightly whether it is a replay. Live ones are handed on as soon as Ω and
    seal are there; while they come, replays are dropped and counted in `dropped`. has_bridge: whether a bridge is there
    that seals; without one, no Ω waits for a seal. clock: monotonic seconds.
    """

    def __init__(
        self, hand_on: Callable[[Omega], None], has_bridge: Callable[[], bool], clock: Callable[[], float]
    ) -> None:
        self._hand_on = hand_on
        self._has_bridge = has_bridge
        self._clock = clock
        self._seals: OrderedDict[bytes, None] = OrderedDict()
        self._waiting: deque[tuple[bytes, Omega, float]] = deque()
        self._live_s = float("-inf")
        self.dropped = 0

    @property
    def is_live(self) -> bool:
        """Whether live Ω come now."""
        return self._clock() - self._live_s < LIVE_S

    def add_seal(self, digest: bytes) -> None:
        """Take the digest in a genuine seal of the bridge."""
        for place, (waiting, omega, _) in enumerate(self._waiting):
            if waiting == digest:
                del self._waiting[place]
                self._take_sealed(omega)
                return
        self._seals[digest] = None
        while len(self._seals) > MAX_SEALS:
            self._seals.popitem(last=False)

    def add_omega(self, omega: Omega) -> None:
        """Take an Ω that somebody published."""
        digest = digest_of(omega)
        if digest in self._seals:
            del self._seals[digest]
            self._take_sealed(omega)
        elif not (self.is_live or self._has_bridge()):
            self._take_unsealed(omega)
        else:
            self._waiting.append((digest, omega, self._clock()))
            if len(self._waiting) > MAX_WAITING:
                self._take_unsealed(self._waiting.popleft()[1])

    def expire(self) -> None:
        """Give up waiting for seals that are overdue."""
        while self._waiting and self._clock() - self._waiting[0][2] >= SEAL_WAIT_S:
            self._take_unsealed(self._waiting.popleft()[1])

    def _take_sealed(self, omega: Omega) -> None:
        if omega.privacy.replay:  # the edge says so: it plays a recording
            self._take_replay(omega)
            return
        self._live_s = self._clock()
        self._hand_on(omega)

    def _take_unsealed(self, omega: Omega) -> None:
        self._take_replay(replace(omega, privacy=replace(omega.privacy, replay=True)))

    def _take_replay(self, omega: Omega) -> None:
        if self.is_live:
            self.dropped += 1
        else:
            self._hand_on(omega)
