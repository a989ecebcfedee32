"""A gate whose offers are sealed: what it is offered is sealed as it is, so that its other checks are reached.

That is what a compromised eraser and embedder could offer. What was not sealed so is offered with `offer`.
"""

from hashlib import sha256

from privcam_core.types.omega import Embedding, InvalidOmega, Omega, SyncKey
from privcam_core.types.seals import Seals
from privcam_edge.link.budgets import Budgets
from privcam_edge.link.gate import Gate
from privcam_edge.link.sealing import OmegaSealer, SealKeys
from privcam_link import cdr


class SealClock:
    """ns since boot, set by a test. Every reading is a nanosecond later than the one before, as on a real host."""

    def __init__(self, now_ns: int = 10**12) -> None:
        self.now_ns = now_ns

    def __call__(self) -> int:
        self.now_ns += 1
        return self.now_ns

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.now_ns += int(seconds * 1e9)


class SealedGate:
    """A gate and what seals for it. encoder: the pinned one. Other arguments: see `Gate`."""

    def __init__(
        self,
        camera_id: str,
        encoder: Embedding,
        *,
        max_rate_hz: float = 60.0,
        budgets: Budgets | None = None,
        last: SyncKey | None = None,
        clock: SealClock | None = None,
        keys: SealKeys | None = None,
    ) -> None:
        self.clock = clock or SealClock()
        self.keys = keys or SealKeys.random()
        self.sealer = OmegaSealer(self.keys, self.clock)
        self.gate = Gate(
            camera_id,
            self.keys,
            encoder,
            max_rate_hz=max_rate_hz,
            budgets=budgets,
            last=last,
            clock=self.clock,
        )

    def seal(self, offered: bytes | Omega) -> Seals | None:
        """Return seals of exactly what is offered; None for bytes that are no Ω, which have no parts to seal."""
        if isinstance(offered, bytes):
            try:
                offered = cdr.decode(offered)
            except InvalidOmega:
                return None
        return self.sealer.seal(offered, sha256(offered.environment.png).digest())

    def check(self, offered: bytes | Omega) -> Omega:
        """Seal an Ω and offer it to the gate. Raises Rejected as the gate does."""
        return self.gate.check(offered, self.seal(offered))
