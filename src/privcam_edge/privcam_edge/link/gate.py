"""The gate: the last thing an Ω passes on the edge, and the only way to the network.

It sees bytes of Ω and nothing else; no frame, detector or track can be reached from here. What it lets through is made
anew from checked values: the picture is unpacked to pixels and packed again, so that nothing but pixels survives, and
numbers keep no more digits than are used (`privcam_link.canonical_form`).
"""

import time
from collections import Counter, OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NoReturn

from privcam_core.images.environment import encode_environment
from privcam_core.types.identifiers import require_camera_id
from privcam_core.types.omega import Embedding, Environment, InvalidOmega, Omega, SyncKey
from privcam_link import cdr
from privcam_link.canonical_form import canonical
from privcam_link.validation import (
    Reason,
    Rejected,
    follows,
    open_environment,
    reason_of,
    require_happened,
    require_publishable,
)

# An Ω may still name the picture before the newest; more than a few are never in use at once.
KNOWN_PICTURES = 4
# After a short stall of the graph this much of a second's Ω may leave at once.
BURST_S = 1.0
# Name, shape, scale, noise and norm of an encoder do not change from frame to frame. Somebody may try a few.
KNOWN_ENCODERS = 4


@dataclass(frozen=True)
class _Picture:
    """A picture that passed: the bytes made here, and what was measured on its pixels."""

    png: bytes
    height: int
    width: int
    confirmed_fraction: float


class Gate:
    """Checks and rebuilds the Ω of one camera.

    camera_id: the only camera whose Ω passes. max_rate_hz: Ω per second, measured on `clock` (monotonic seconds).
    last: κ of the last Ω that passed before a restart, which the next one has to come after. wall: ns since the epoch.
    `passed` and `rejected` (by Reason) count since the start.
    """

    def __init__(
        self,
        camera_id: str,
        *,
        max_rate_hz: float = 60.0,
        last: SyncKey | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], int] = time.time_ns,
    ) -> None:
        require_camera_id(camera_id)
        if not 0 < max_rate_hz < float("inf"):
            raise ValueError(f"max_rate_hz: {max_rate_hz} is not a positive number of Ω per second")
        self.passed = 0
        self.rejected: Counter[Reason] = Counter()
        self._camera_id = camera_id
        self._rate = max_rate_hz
        self._clock = clock
        self._wall = wall
        self._tokens = self._burst
        self._refilled = clock()
        self._last = last
        self._pictures: OrderedDict[bytes, _Picture] = OrderedDict()
        self._encoders: set[Embedding] = set()
        self._shown, self._epoch = b"", 0

    def check(self, offered: bytes | Omega) -> Omega:
        """Return an Ω made anew from what is offered, always with its picture. bytes: CDR of privcam_msgs/msg/Omega.

        The picture's bytes differ from the offered ones, and what they show, and so the digest, is the same. Epochs
        count the changes of the picture since this gate was made. Shares of the picture are as measured on it.
        Raises Rejected, which is counted, for anything that may not leave.
        """
        try:
            omega = self._decode(offered) if isinstance(offered, bytes) else offered
            require_publishable(omega)
            self._require_turn(omega.key)
            encoder = self._encoder(omega.embedding)
            environment = self._rebuild(omega.environment)
            report = replace(omega.privacy, withheld_fraction=1.0 - environment.confirmed_fraction)
            clean = canonical(replace(omega, environment=environment, privacy=report))
        except Rejected as rejection:
            self.rejected[rejection.reason] += 1
            raise
        except InvalidOmega as error:
            self._reject(reason_of(error), str(error), error)
        self._last = omega.key
        self._encoders.add(encoder)
        self._shown, self._epoch = clean.environment.digest, clean.environment.epoch
        self.passed += 1
        return clean

    def _decode(self, payload: bytes) -> Omega:
        if len(payload) > cdr.MAX_OMEGA_BYTES:
            raise Rejected(Reason.TOO_LARGE, f"payload: {len(payload)} bytes, limit {cdr.MAX_OMEGA_BYTES}")
        return cdr.decode(payload)

    def _reject(self, reason: Reason, text: str, cause: Exception) -> NoReturn:
        self.rejected[reason] += 1
        raise Rejected(reason, text) from cause

    @property
    def _burst(self) -> float:
        return max(1.0, self._rate * BURST_S)

    def _require_turn(self, key: SyncKey) -> None:
        """Raise Rejected unless κ is of this camera, newer than the last that passed, and within the rate."""
        if key.camera_id != self._camera_id:
            raise Rejected(Reason.CAMERA, f"key.camera_id: {key.camera_id}, this gate is of {self._camera_id}")
        if self._last is not None and not follows(key, self._last):
            raise Rejected(Reason.ORDER, f"key: {key} does not come after {self._last}")
        require_happened(key, self._wall())
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._refilled) * self._rate)
        self._refilled = now
        if self._tokens < 1.0:
            raise Rejected(Reason.RATE, f"key: more than {self._rate:g} Ω per second, raise max_rate_hz if intended")
        self._tokens -= 1.0

    def _encoder(self, embedding: Embedding) -> Embedding:
        """Return what an embedding says about its encoder, without the values. Raises Rejected for one too many."""
        encoder = replace(embedding, data=bytes(len(embedding.data)))
        if encoder not in self._encoders and len(self._encoders) >= KNOWN_ENCODERS:
            raise Rejected(
                Reason.FIELD,
                f"embedding.encoder_id: {embedding.encoder_id} is one more than the {KNOWN_ENCODERS} encoders (name, "
                "shape, scale, noise, norm) of a run; restart the bridge if somebody tries many",
            )
        return encoder

    def _rebuild(self, environment: Environment) -> Environment:
        """Return the environment with the picture that was made here for its digest."""
        if environment.base:
            raise Rejected(Reason.PICTURE, "environment.base: patches are made behind the gate, from what passed it")
        if environment.png and environment.digest not in self._pictures:
            self._learn(environment)
        picture = self._pictures.get(environment.digest)
        if picture is None:
            raise Rejected(Reason.UNKNOWN_PICTURE, "environment.sha256: its picture never came through this gate")
        self._pictures.move_to_end(environment.digest)
        if (environment.height, environment.width) != (picture.height, picture.width):
            stated = (environment.height, environment.width)
            raise InvalidOmega("environment.size", f"{stated}, its picture has {(picture.height, picture.width)}")
        epoch = self._epoch + (environment.digest != self._shown)
        return replace(environment, png=picture.png, confirmed_fraction=picture.confirmed_fraction, epoch=epoch)

    def _learn(self, environment: Environment) -> None:
        plate, validity = open_environment(environment)
        png = encode_environment(plate, validity)
        height, width = validity.shape
        share = float(validity.mean())
        self._pictures[environment.digest] = _Picture(png, height, width, share)
        while len(self._pictures) > KNOWN_PICTURES:
            self._pictures.popitem(last=False)
