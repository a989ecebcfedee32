"""Seals: detached proofs of which anonymous parts of a frame were published, and by which node.

Parts of Ω travel between the edge's nodes as ordinary messages, which any local user can forge. A seal names the parts
of one κ by their SHA-256 and carries an authentication code with a key of this start (`privcam_edge.link.sealing`), so
a forged seal is recognised alone, before any part has arrived. Seals never leave the edge.
"""

from dataclasses import dataclass

from privcam_core.types.omega import SyncKey

DIGEST_BYTES = 32


class InvalidSeal(ValueError):
    """A seal is not well formed. The message names the field."""


def _require_digests(**fields: bytes) -> None:
    for name, value in fields.items():
        if len(value) != DIGEST_BYTES:
            raise InvalidSeal(f"{name}: has {len(value)} bytes, needs {DIGEST_BYTES}")


@dataclass(frozen=True)
class Seal:
    """The eraser's seal of one frame.

    sealed_ns: time of sealing on the monotonic clock of the host; it grows from seal to seal. picture: SHA-256 of the
    PNG bytes that the inspection passed. environment, poses, privacy: SHA-256 of the parts as CDR, the environment by
    digest alone. code: HMAC-SHA256 over all of these.
    """

    key: SyncKey
    sealed_ns: int
    picture: bytes
    environment: bytes
    poses: bytes
    privacy: bytes
    code: bytes

    def __post_init__(self) -> None:
        if not 0 <= self.sealed_ns < 2**64:
            raise InvalidSeal(f"sealed_ns: {self.sealed_ns} is not in [0, 2^64)")
        _require_digests(
            picture=self.picture,
            environment=self.environment,
            poses=self.poses,
            privacy=self.privacy,
            code=self.code,
        )


@dataclass(frozen=True)
class EmbeddingSeal:
    """The embedder's seal of one frame. embedding: SHA-256 of z as CDR. code: HMAC-SHA256 over κ and this."""

    key: SyncKey
    embedding: bytes
    code: bytes

    def __post_init__(self) -> None:
        _require_digests(embedding=self.embedding, code=self.code)


@dataclass(frozen=True)
class Seals:
    """All seals that belong to one Ω."""

    published: Seal
    embedded: EmbeddingSeal
