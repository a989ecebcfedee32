"""Lets through the parts of a frame that its seals cover, for the nodes between eraser and gate.

Without it, whoever sends another part with the same κ would take the place of the true one in a join. Nothing would
leave, because the gate rejects the mixture; but the true Ω would be lost.
"""

from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

from privcam_core.types.omega import Embedding, SyncKey
from privcam_core.types.seals import EmbeddingSeal, Seal
from privcam_edge.link.seal_join import MAX_KEPT, SealBook
from privcam_edge.link.sealing import Part, SealVerifier, boot_ns

T = TypeVar("T")

# Parts that came before their seals: of so many frames, and so many of each.
MAX_FRAMES = 16
MAX_PARTS = 16
# Parts that passed and may not pass again: four of each frame of the time in which seals are kept.
MAX_PASSED = 4 * MAX_KEPT


class PartFilter(Generic[T]):
    """Sorts the parts of one camera by whether they are sealed. T: what a caller keeps with a part.

    Each part passes once. clock: ns since boot. `unsealed` counts parts that are not what was sealed for their κ.
    """

    def __init__(self, verifier: SealVerifier, clock: Callable[[], int] = boot_ns) -> None:
        self._verifier = verifier
        self._book = SealBook(verifier, clock)
        self._waiting: OrderedDict[SyncKey, list[tuple[Part, T]]] = OrderedDict()
        self._passed: OrderedDict[tuple[SyncKey, str], None] = OrderedDict()
        self.unsealed = 0

    @property
    def forged(self) -> int:
        """Number of seals that are not genuine."""
        return self._book.forged

    def add_seal(self, seal: Seal | EmbeddingSeal) -> list[T]:
        """Take a seal. Return what was kept with the parts that waited for it and that it covers, in order."""
        if not self._book.add(seal):
            return []
        is_embedding = isinstance(seal, EmbeddingSeal)
        parts = self._waiting.pop(seal.key, [])
        ready = [kept for part, kept in parts if isinstance(part, Embedding) == is_embedding and self._fits(seal, part)]
        if others := [one for one in parts if isinstance(one[0], Embedding) != is_embedding]:
            self._waiting[seal.key] = others
        return ready

    def add_part(self, key: SyncKey, part: Part, kept: T) -> list[T]:
        """Take a part. Return what is kept with it if its seal is here and covers it."""
        seal = self._book.embedded(key) if isinstance(part, Embedding) else self._book.published(key)
        if seal is not None:
            return [kept] if self._fits(seal, part) else []
        parts = self._waiting.setdefault(key, [])
        if len(parts) < MAX_PARTS:
            parts.append((part, kept))
        while len(self._waiting) > MAX_FRAMES:
            self._waiting.popitem(last=False)
        return []

    def _fits(self, seal: Seal | EmbeddingSeal, part: Part) -> bool:
        if not self._verifier.covers(seal, part):
            self.unsealed += 1
            return False
        passed = seal.key, type(part).__name__
        if passed in self._passed:
            return False  # a repetition
        self._passed[passed] = None
        while len(self._passed) > MAX_PASSED:
            self._passed.popitem(last=False)
        return True
