"""Seals the anonymous parts of a frame, and checks that an Ω is made of exactly the parts that were sealed.

The keys are derived from the key of this start. The seal of the eraser covers the environment, the anonymised poses and
the privacy report, and the bytes of the picture that the inspection passed; that of the embedder covers z. Each covers
κ, so parts of two frames, of two cameras or of two starts do not go together.
"""

import hmac
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TypeAlias

from cryptography.hazmat.primitives.poly1305 import Poly1305

from privcam_core.types.omega import Embedding, Environment, Omega, PrivacyReport, SubjectPose, SyncKey
from privcam_core.types.seals import DIGEST_BYTES, EmbeddingSeal, Seal, Seals
from privcam_core.types.time import NS_PER_S
from privcam_link.cdr import encode_part
from privcam_link.validation import Reason, Rejected

Part: TypeAlias = Environment | Sequence[SubjectPose] | Embedding | PrivacyReport
# Of codes: the time, and what is drawn at random.
NONCE_BYTES, _TIME_BYTES = 16, 8
# What was sealed reaches its readers within the timeouts of the joins; a gateway may lag by some seconds more.
MAX_SEAL_AGE_NS = 30 * NS_PER_S


def boot_ns() -> int:
    """Return the ns since this host was booted: the same for all processes, and nobody can set it."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, repr=False)
class SealKeys:
    """The keys of the seals of eraser and embedder, and of the codes of the composer, 32 bytes each."""

    published: bytes
    embedded: bytes
    composed: bytes

    @classmethod
    def derived(cls, derive: Callable[[str], bytes]) -> "SealKeys":
        """Return the keys of a start. derive: `StartKey.derive`."""
        return cls(derive("seals of the eraser"), derive("seals of the embedder"), derive("codes of the composer"))

    @classmethod
    def random(cls) -> "SealKeys":
        """Return keys for an edge that runs as one object in one process."""
        return cls(*(os.urandom(DIGEST_BYTES) for _ in range(3)))


class FrameSealer:
    """Seals what the eraser publishes. clock: ns, never set back, the same in all processes of the host."""

    def __init__(self, keys: SealKeys, clock: Callable[[], int] = boot_ns) -> None:
        self._key = keys.published
        self._clock = clock
        self._last_ns = 0

    def seal(
        self,
        key: SyncKey,
        environment: Environment,
        poses: Sequence[SubjectPose],
        report: PrivacyReport,
        picture: bytes,
    ) -> Seal:
        """Return the seal of one frame. picture: SHA-256 of the PNG bytes that the inspection passed."""
        self._last_ns = max(self._clock(), self._last_ns + 1)
        seal = Seal(
            key,
            self._last_ns,
            picture,
            environment=sha256(encode_part(key, environment)).digest(),
            poses=sha256(encode_part(key, poses)).digest(),
            privacy=sha256(encode_part(key, report)).digest(),
            code=bytes(DIGEST_BYTES),
        )
        return replace(seal, code=_code(self._key, seal))


class EmbeddingSealer:
    """Seals what the embedder publishes."""

    def __init__(self, keys: SealKeys) -> None:
        self._key = keys.embedded

    def seal(self, key: SyncKey, embedding: Embedding) -> EmbeddingSeal:
        """Return the seal of the embedding of one frame."""
        seal = EmbeddingSeal(key, sha256(encode_part(key, embedding)).digest(), bytes(DIGEST_BYTES))
        return replace(seal, code=_code(self._key, seal))


class OmegaSealer:
    """Seals a whole Ω as eraser and embedder do, for an edge that runs as one object."""

    def __init__(self, keys: SealKeys, clock: Callable[[], int] = boot_ns) -> None:
        self._frame, self._embedding = FrameSealer(keys, clock), EmbeddingSealer(keys)

    def seal(self, omega: Omega, picture: bytes) -> Seals:
        """Return the seals of an Ω. picture: SHA-256 of the PNG bytes that the inspection passed."""
        published = self._frame.seal(omega.key, omega.environment, omega.poses, omega.privacy, picture)
        return Seals(published, self._embedding.seal(omega.key, omega.embedding))


class ProxyCoder:
    """Makes and checks the codes of anonymous frames, which the embedder encodes: z tells what it was computed from.

    A code is a nonce and the Poly1305 of the pixels, with a key for this κ and nonce: on a picture of VGA size it takes
    a sixth of the time of an HMAC. The nonce begins with the time of coding on `clock`, ns since boot: each frame is
    taken once, and no old one.
    """

    def __init__(self, keys: SealKeys, clock: Callable[[], int] = boot_ns) -> None:
        self._key = keys.composed
        self._clock = clock
        self._taken_ns = 0

    def code(self, key: SyncKey, pixels: bytes) -> bytes:
        """Return the 32 bytes of the code of one frame."""
        nonce = self._clock().to_bytes(_TIME_BYTES, "big") + os.urandom(NONCE_BYTES - _TIME_BYTES)
        return nonce + Poly1305.generate_tag(self._once(key, nonce), pixels)

    def take(self, key: SyncKey, pixels: bytes, code: bytes) -> bool:
        """Say whether the composer of this start made a frame, after all that were taken before."""
        nonce, tag = code[:NONCE_BYTES], code[NONCE_BYTES:]
        if not hmac.compare_digest(tag, Poly1305.generate_tag(self._once(key, nonce), pixels)):
            return False
        made_ns = int.from_bytes(nonce[:_TIME_BYTES], "big")
        if made_ns <= self._taken_ns or self._clock() - made_ns > MAX_SEAL_AGE_NS:
            return False
        self._taken_ns = made_ns
        return True

    def _once(self, key: SyncKey, nonce: bytes) -> bytes:
        return hmac.digest(self._key, b"".join((nonce, *_kappa(key))), "sha256")


class SealVerifier:
    """Tells genuine seals from others, and what they cover."""

    def __init__(self, keys: SealKeys) -> None:
        self._keys = keys

    def is_genuine(self, seal: Seal | EmbeddingSeal) -> bool:
        """Say whether a seal was made with the key of this start."""
        key = self._keys.published if isinstance(seal, Seal) else self._keys.embedded
        return hmac.compare_digest(seal.code, _code(key, seal))

    def covers(self, seal: Seal | EmbeddingSeal, part: Part) -> bool:
        """Say whether a genuine seal covers a part of its frame; the environment with its PNG, if it comes with one."""
        if isinstance(part, Environment):
            assert isinstance(seal, Seal)
            if part.png and sha256(part.png).digest() != seal.picture:
                return False
        return sha256(encode_part(seal.key, part)).digest() == _digest_in(seal, part)

    def require_sealed(self, omega: Omega, seals: Seals | None) -> Seal:
        """Return the eraser's seal of an Ω. Raises Rejected unless all parts are sealed, for exactly these bytes.

        The PNG is compared as bytes, before anything is unpacked.
        """
        if seals is None:
            raise Rejected(Reason.SEAL, f"key: {omega.key} has no seals of eraser and embedder")
        for seal, maker in ((seals.published, "eraser"), (seals.embedded, "embedder")):
            if not self.is_genuine(seal):
                raise Rejected(Reason.SEAL, f"key: the seal of the {maker} was not made with the key of this start")
            if seal.key != omega.key:
                raise Rejected(Reason.SEAL, f"key: {omega.key}, the seal of the {maker} is of {seal.key}")
        if not self.covers(seals.published, omega.environment.without_png()):
            raise Rejected(Reason.SEAL, f"environment: is not what was sealed for {omega.key}")
        if not self.covers(seals.published, omega.environment):
            raise Rejected(Reason.SEAL, "environment.png: is not the picture that the inspection passed")
        parts: tuple[tuple[str, Part], ...] = ("poses", omega.poses), ("privacy", omega.privacy)
        for name, part in parts:
            if not self.covers(seals.published, part):
                raise Rejected(Reason.SEAL, f"{name}: is not what was sealed for {omega.key}")
        if not self.covers(seals.embedded, omega.embedding):
            raise Rejected(Reason.SEAL, f"embedding: is not what was sealed for {omega.key}")
        return seals.published


def _digest_in(seal: Seal | EmbeddingSeal, part: Part) -> bytes:
    if isinstance(seal, EmbeddingSeal):
        return seal.embedding
    if isinstance(part, Environment):
        return seal.environment
    return seal.privacy if isinstance(part, PrivacyReport) else seal.poses


def _kappa(key: SyncKey) -> tuple[bytes, bytes, bytes]:
    return key.camera_id.encode() + b"\x00", key.frame_id.to_bytes(8, "big"), key.stamp_ns.to_bytes(8, "big")


def _code(key: bytes, seal: Seal | EmbeddingSeal) -> bytes:
    """Return the authentication code over everything in a seal but its code."""
    # Of one length each, but for the camera_id, which ends with a zero.
    parts = [*_kappa(seal.key)]
    if isinstance(seal, Seal):
        parts += [seal.sealed_ns.to_bytes(8, "big"), seal.picture, seal.environment, seal.poses, seal.privacy]
    else:
        parts.append(seal.embedding)
    return hmac.digest(key, b"".join(parts), "sha256")
