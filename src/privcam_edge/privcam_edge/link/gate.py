"""The gate checks and rebuilds every Ω before it leaves the edge. It is the only way to the network.

The gate gets bytes of Ω and nothing else; it has no path to a frame, a detector or a track. The Ω that leaves is
rebuilt from checked values: the picture is decoded to pixels and encoded again, so that only pixels survive, and
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
from privcam_link.canonical_form import canonicalize
from privcam_link.validation import (
    Reason,
    Rejected,
    follows,
    open_environment,
    reason_of,
    require_not_future,
    require_publishable,
)

# Pictures that an Ω may name by digest. An Ω may still name the picture before the newest one.
KNOWN_PICTURES = 4
# After a short stall of the graph, as many Ω may leave at once as the rate allows in this time.
BURST_S = 1.0
# Encoders of one run. Name, shape, scale, noise and norm of an encoder do not change from frame to frame.
KNOWN_ENCODERS = 4


@dataclass(frozen=True)
class _Picture:
    """A picture that passed: the PNG that the gate made, its size in px and its fraction of confirmed pixels."""

    png: bytes
    height: int
    width: int
    confirmed_fraction: float


class Gate:
    """Checks and rebuilds the Ω of one camera.

    camera_id: the only camera whose Ω passes. max_rate_hz: Ω per second, measured with `clock` (monotonic seconds).
    last: κ of the last Ω that passed before a restart; the next Ω has to come after it. wall: ns since the epoch.
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
        self._current_digest, self._epoch = b"", 0

    def check(self, offered: bytes | Omega) -> Omega:
        """Return a rebuilt Ω, always with its picture.

        offered: an Ω, or its CDR as privcam_msgs/msg/Omega. The bytes of the returned PNG differ from the offered ones;
        its pixels, and so the digest, are the same. Epochs count the changes of the picture since this gate was made.
        Fractions of the picture are measured on its pixels. Raises Rejected, and counts it, for an Ω that may not
        leave.
        """
        try:
            omega = self._decode(offered) if isinstance(offered, bytes) else offered
            require_publishable(omega)
            self._require_turn(omega.key)
            encoder = self._encoder_of(omega.embedding)
            environment = self._rebuild(omega.environment)
            report = replace(omega.privacy, withheld_fraction=1.0 - environment.confirmed_fraction)
            clean = canonicalize(replace(omega, environment=environment, privacy=report))
        except Rejected as rejection:
            self.rejected[rejection.reason] += 1
            raise
        except InvalidOmega as error:
            self._reject(reason_of(error), str(error), error)
        self._last = omega.key
        self._encoders.add(encoder)
        self._current_digest, self._epoch = clean.environment.digest, clean.environment.epoch
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
        require_not_future(key, self._wall())
        now = self._clock()
        self._tokens = min(self._burst, self._tokens + (now - self._refilled) * self._rate)
        self._refilled = now
        if self._tokens < 1.0:
            raise Rejected(Reason.RATE, f"key: more than {self._rate:g} Ω per second, raise max_rate_hz if intended")
        self._tokens -= 1.0

    def _encoder_of(self, embedding: Embedding) -> Embedding:
        """Return an embedding with zeros as values, which stands for its encoder. Raises Rejected for one too many."""
        encoder = replace(embedding, data=bytes(len(embedding.data)))
        if encoder not in self._encoders and len(self._encoders) >= KNOWN_ENCODERS:
            raise Rejected(
                Reason.FIELD,
                f"embedding.encoder_id: {embedding.encoder_id} is one more than the {KNOWN_ENCODERS} encoders (name, "
                "shape, scale, noise, norm) of a run; restart the bridge after trying many encoders",
            )
        return encoder

    def _rebuild(self, environment: Environment) -> Environment:
        """Return the environment with the picture that the gate encoded for its digest."""
        if environment.base:
            raise Rejected(
                Reason.PICTURE, "environment.base: patches are made behind the gate, from pictures that passed it"
            )
        if environment.png and environment.digest not in self._pictures:
            self._add_picture(environment)
        picture = self._pictures.get(environment.digest)
        if picture is None:
            raise Rejected(Reason.UNKNOWN_PICTURE, "environment.sha256: its picture never came through this gate")
        self._pictures.move_to_end(environment.digest)
        if (environment.height, environment.width) != (picture.height, picture.width):
            stated = (environment.height, environment.width)
            raise InvalidOmega("environment.size", f"{stated}, its picture has {(picture.height, picture.width)}")
        epoch = self._epoch + (environment.digest != self._current_digest)
        return replace(environment, png=picture.png, confirmed_fraction=picture.confirmed_fraction, epoch=epoch)

    def _add_picture(self, environment: Environment) -> None:
        pixels, confirmed = open_environment(environment)
        png = encode_environment(pixels, confirmed)
        height, width = confirmed.shape
        self._pictures[environment.digest] = _Picture(png, height, width, float(confirmed.mean()))
        while len(self._pictures) > KNOWN_PICTURES:
            self._pictures.popitem(last=False)
