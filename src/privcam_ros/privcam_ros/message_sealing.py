"""Encrypts and authenticates the messages of a topic between the nodes of one start. Knows no ROS.

A sealed message is a nonce and the ChaCha20-Poly1305 of the message. The key is derived from the key of this start, the
full name of the topic, which holds the camera, and the type: what was sealed for another camera, topic, type or start
opens nowhere. The nonce begins with the time of sealing on the clock since boot, which nobody can set. A topic is
opened in the order of sealing alone, and nothing that is older than the oldest frame: a message that was recorded and
sent again is refused, by a node that was just started at the latest when the frame is gone.
"""

import os
import time
from enum import Enum

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from privcam_core.types.time import NS_PER_S
from privcam_ros.start_key import StartKey

TIME_BYTES = 8
# Of each publisher, at random: two that seal in the same nanosecond still use different nonces.
PUBLISHER_BYTES = 4
NONCE_BYTES = TIME_BYTES + PUBLISHER_BYTES
TAG_BYTES = 16
# No raw frame lives longer: the highest `retention_s` of the camera node.
MAX_AGE_S = 10.0


class Refusal(Enum):
    """Why a sealed message is not opened."""

    FORGED = "forged"  # not sealed with this key, or changed afterwards
    REPLAYED = "replayed"  # not sealed after the last one that was opened
    OUTDATED = "outdated"  # sealed too long ago


class SealRefused(ValueError):
    """A sealed message was not opened, for `reason`."""

    def __init__(self, reason: Refusal) -> None:
        super().__init__(reason.value)
        self.reason = reason


def _cipher(key: StartKey, topic: str, type_name: str) -> ChaCha20Poly1305:
    return ChaCha20Poly1305(key.derive(f"messages of type {type_name} on {topic}"))


def _now_ns() -> int:
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)


class Sealer:
    """Seals the messages of one publisher. topic: full name. type_name: of the messages."""

    def __init__(self, key: StartKey, topic: str, type_name: str) -> None:
        self._cipher = _cipher(key, topic, type_name)
        self._publisher = os.urandom(PUBLISHER_BYTES)
        self._last_ns = 0

    def seal(self, message: bytes) -> bytes:
        """Return a serialised message, sealed."""
        self._last_ns = max(_now_ns(), self._last_ns + 1)
        nonce = self._last_ns.to_bytes(TIME_BYTES, "big") + self._publisher
        return nonce + self._cipher.encrypt(nonce, message, None)


class Opener:
    """Opens the sealed messages of one topic, each once and in the order of sealing."""

    def __init__(self, key: StartKey, topic: str, type_name: str, *, max_age_s: float = MAX_AGE_S) -> None:
        self._cipher = _cipher(key, topic, type_name)
        self._max_age_ns = int(max_age_s * NS_PER_S)
        self._last_ns = 0

    def open(self, sealed: bytes) -> bytes:
        """Return the serialised message. Raises SealRefused; then nothing of `sealed` was believed."""
        nonce = sealed[:NONCE_BYTES]
        if len(sealed) < NONCE_BYTES + TAG_BYTES:
            raise SealRefused(Refusal.FORGED)
        try:
            message = self._cipher.decrypt(nonce, sealed[NONCE_BYTES:], None)
        except InvalidTag:
            raise SealRefused(Refusal.FORGED) from None
        sealed_ns = int.from_bytes(nonce[:TIME_BYTES], "big")
        if sealed_ns <= self._last_ns:
            raise SealRefused(Refusal.REPLAYED)
        if _now_ns() - sealed_ns > self._max_age_ns:
            raise SealRefused(Refusal.OUTDATED)
        self._last_ns = sealed_ns
        return message
