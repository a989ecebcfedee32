"""Joins Ω with their seals by exact κ. Forged messages displace nothing: seals are checked before they are kept.

An Ω usually comes after its seals, because they were published first. One that comes earlier waits for a moment.
"""

from collections import OrderedDict, deque
from collections.abc import Callable

from privcam_core.types.omega import InvalidOmega, SyncKey
from privcam_core.types.seals import EmbeddingSeal, Seal, Seals
from privcam_core.types.time import NS_PER_S
from privcam_edge.link.sealing import MAX_SEAL_AGE_NS, SealVerifier, boot_ns
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


class SealBook:
    """The genuine seals of the last MAX_SEAL_AGE_NS by κ. clock: ns since boot. `forged` counts those that are not.

    Recorded seals that are sent again displace no others: what is old, or there already, is not kept.
    """

    def __init__(self, verifier: SealVerifier, clock: Callable[[], int] = boot_ns) -> None:
        self._verifier = verifier
        self._clock = clock
        self._published: OrderedDict[SyncKey, Seal] = OrderedDict()
        self._embedded: dict[SyncKey, EmbeddingSeal] = {}
        self._early: OrderedDict[SyncKey, EmbeddingSeal] = OrderedDict()
        self.forged = 0

    def add(self, seal: Seal | EmbeddingSeal) -> bool:
        """Keep a seal if it is genuine and new. Return whether it was kept."""
        if not self._verifier.is_genuine(seal):
            self.forged += 1
            return False
        if isinstance(seal, EmbeddingSeal):
            return self._add_embedded(seal)
        if abs(self._clock() - seal.sealed_ns) > MAX_SEAL_AGE_NS or seal.key in self._published:
            return False
        self._published[seal.key] = seal
        if (early := self._early.pop(seal.key, None)) is not None:
            self._embedded[seal.key] = early
        while len(self._published) > MAX_KEPT or self._is_old(next(iter(self._published.values()))):
            key, _ = self._published.popitem(last=False)
            self._embedded.pop(key, None)
        return True

    def published(self, key: SyncKey) -> Seal | None:
        """Return the eraser's seal of a frame, None if it is not here."""
        return self._published.get(key)

    def embedded(self, key: SyncKey) -> EmbeddingSeal | None:
        """Return the embedder's seal of a frame, None if it is not here."""
        return self._embedded.get(key) or self._early.get(key)

    def _add_embedded(self, seal: EmbeddingSeal) -> bool:
        if self.embedded(seal.key) is not None:
            return False
        if seal.key in self._published:
            self._embedded[seal.key] = seal
            return True
        self._early[seal.key] = seal
        while len(self._early) > MAX_EARLY:
            self._early.popitem(last=False)
        return True

    def _is_old(self, seal: Seal) -> bool:
        return self._clock() - seal.sealed_ns > MAX_SEAL_AGE_NS


class SealJoin:
    """Joins the Ω of one camera with their seals. clock: ns since boot."""

    def __init__(self, verifier: SealVerifier, clock: Callable[[], int] = boot_ns) -> None:
        self._clock = clock
        self._book = SealBook(verifier, clock)
        self._waiting: deque[tuple[int, SyncKey, bytes]] = deque()

    @property
    def forged(self) -> int:
        """Number of seals that are not genuine."""
        return self._book.forged

    def add_seal(self, seal: Seal | EmbeddingSeal) -> list[Offer]:
        """Take a seal. Return the Ω that waited for it."""
        return self._take_waiting(seal.key) if self._book.add(seal) else []

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

    def _seals_of(self, key: SyncKey) -> Seals | None:
        published, embedded = self._book.published(key), self._book.embedded(key)
        return Seals(published, embedded) if published and embedded else None

    def _take_waiting(self, key: SyncKey) -> list[Offer]:
        seals = self._seals_of(key)
        if seals is None:
            return []
        ready: list[Offer] = [(payload, seals) for _, waiting, payload in self._waiting if waiting == key]
        self._waiting = deque(one for one in self._waiting if one[1] != key)
        return ready
