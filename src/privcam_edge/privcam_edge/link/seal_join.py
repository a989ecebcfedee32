"""Joins Ω with their seals by exact κ. Forged messages displace nothing: seals are checked before they are kept.

An Ω usually comes after its seals, because they were published first. One that comes earlier waits for a moment.
"""

from collections import OrderedDict, deque
from collections.abc import Callable

from privcam_core.types.omega import InvalidOmega, SyncKey
from privcam_core.types.seals import EmbeddingSeal, Seal, Seals
from privcam_core.types.time import NS_PER_S
from privcam_edge.link.sealing import SealVerifier, boot_ns
from privcam_edge.link.stamp_order import MAX_SEAL_AGE_NS
from privcam_link import cdr

# An Ω waits this long for its seals.
TIMEOUT_NS = NS_PER_S
# Bytes of Ω that wait. Beyond this the oldest are handed on without seals: a flood must not fill the memory.
MAX_WAITING_BYTES = 2 * cdr.MAX_OMEGA_BYTES
# Embedder's seals that are kept although the eraser's is not there yet; and all seals, of MAX_SEAL_AGE_NS at 240 Hz.
MAX_EARLY = 64
MAX_KEPT = 8192

# The bytes of an Ω and its seals, None if they did not come in time.
Offer = tuple[bytes, Seals | None]


class SealJoin:
    """Joins the Ω of one camera with their seals. clock: ns since boot. `forged` counts seals that are not genuine."""

    def __init__(self, verifier: SealVerifier, clock: Callable[[], int] = boot_ns) -> None:
        self._verifier = verifier
        self._clock = clock
        self._published: OrderedDict[SyncKey, Seal] = OrderedDict()
        self._embedded: dict[SyncKey, EmbeddingSeal] = {}
        self._early: OrderedDict[SyncKey, EmbeddingSeal] = OrderedDict()
        self._waiting: deque[tuple[int, SyncKey, bytes]] = deque()
        self.forged = 0

    def add_seal(self, seal: Seal) -> list[Offer]:
        """Take a seal of the eraser. Return the Ω that waited for it."""
        if not self._verifier.is_genuine(seal):
            self.forged += 1
            return []
        if abs(self._clock() - seal.sealed_ns) > MAX_SEAL_AGE_NS or seal.key in self._published:
            return []  # a repetition
        self._published[seal.key] = seal
        if (early := self._early.pop(seal.key, None)) is not None:
            self._embedded[seal.key] = early
        while len(self._published) > MAX_KEPT or self._is_old(next(iter(self._published.values()))):
            key, _ = self._published.popitem(last=False)
            self._embedded.pop(key, None)
        return self._take_waiting(seal.key)

    def add_embedding_seal(self, seal: EmbeddingSeal) -> list[Offer]:
        """Take a seal of the embedder. Return the Ω that waited for it."""
        if not self._verifier.is_genuine(seal):
            self.forged += 1
            return []
        if seal.key in self._published:
            self._embedded[seal.key] = seal
            return self._take_waiting(seal.key)
        self._early[seal.key] = seal
        while len(self._early) > MAX_EARLY:
            self._early.popitem(last=False)
        return []

    def add_omega(self, payload: bytes) -> list[Offer]:
        """Take an Ω. Return it with its seals if they are there, and what may not wait any longer."""
        try:
            key = cdr.peek_key(payload)
        except InvalidOmega:
            return [(payload, None)]  # the gate says what is wrong with it
        seals = self._seals_of(key)
        if seals is not None:
            return [(payload, seals)]
        self._waiting.append((self._clock(), key, payload))
        given_up = self.expire()
        while sum(len(waiting) for _, _, waiting in self._waiting) > MAX_WAITING_BYTES:
            given_up.append((self._waiting.popleft()[2], None))
        return given_up

    def expire(self) -> list[Offer]:
        """Return the Ω that waited for too long, without seals."""
        given_up: list[Offer] = []
        while self._waiting and self._clock() - self._waiting[0][0] > TIMEOUT_NS:
            given_up.append((self._waiting.popleft()[2], None))
        return given_up

    def _is_old(self, seal: Seal) -> bool:
        return self._clock() - seal.sealed_ns > MAX_SEAL_AGE_NS

    def _seals_of(self, key: SyncKey) -> Seals | None:
        published, embedded = self._published.get(key), self._embedded.get(key)
        return Seals(published, embedded) if published and embedded else None

    def _take_waiting(self, key: SyncKey) -> list[Offer]:
        seals = self._seals_of(key)
        if seals is None:
            return []
        ready: list[Offer] = [(payload, seals) for _, waiting, payload in self._waiting if waiting == key]
        self._waiting = deque(one for one in self._waiting if one[1] != key)
        return ready
