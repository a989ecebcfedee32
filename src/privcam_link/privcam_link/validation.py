"""Checks of an Ω that both ends of the link apply, beyond the checks of its types.

The edge checks what it sends; the cloud checks again, because it does not trust the edge.
"""

import re
from enum import Enum

from privcam_core.images.environment import decode_environment, picture_digest
from privcam_core.types.omega import Environment, InvalidOmega, Omega, SyncKey, Verdict
from privcam_core.types.time import NS_PER_S
from privcam_link.patches import Picture, apply_patch

# The confirmed fraction is sent in single precision. A larger difference means that it is of another picture.
CONFIRMED_TOLERANCE = 1e-3

# A stamp further ahead of this host's clock is no capture time; if it was accepted, all later Ω would be out of order.
MAX_AHEAD_NS = 60 * NS_PER_S

# The encoder_id is the only free text in an Ω: names only.
_ENCODER_ID = re.compile(r"[A-Za-z0-9._:/+-]{1,128}")

_PICTURE_FIELDS = ("environment.png", "environment.base", "environment.size", "environment.confirmed_fraction")


class Reason(str, Enum):
    """Why an Ω or a query was rejected; the values are the names of counters in the diagnostics."""

    TOO_LARGE = "too_large"  # more bytes than an Ω may have
    TYPE = "type"  # not an Ω by its header
    SCHEMA = "schema"  # another version of Ω
    FIELD = "field"  # a value that is missing, out of range, not finite, or one too many
    CAMERA = "camera"  # of another camera than the sender
    ORDER = "order"  # not newer than the one before
    SEAL = "seal"  # a part is not sealed by eraser or embedder of this start, or was changed afterwards
    RATE = "rate"  # more per second than allowed
    PRIVACY = "privacy"  # the privacy engine's verdict is WITHHOLD
    DIGEST = "digest"  # the digest is not that of the picture
    PICTURE = "picture"  # the picture holds data other than confirmed background and fill
    UNKNOWN_PICTURE = "unknown_picture"  # a digest that never came with its picture
    QUERY = "query"  # a query that requests neither a picture nor a backlog
    COMPRESSION = "compression"  # a payload that does not decompress to an Ω


class Rejected(ValueError):
    """An Ω or a query was rejected. `reason` is the counted code, `text` names the field and the fault."""

    def __init__(self, reason: Reason, text: str) -> None:
        super().__init__(f"{reason.value}: {text}")
        self.reason = reason
        self.text = text


def reason_of(error: InvalidOmega) -> Reason:
    """Return the code under which a malformed Ω is counted."""
    if error.field == "schema":
        return Reason.SCHEMA
    if error.field == "environment.sha256":
        return Reason.DIGEST
    return Reason.PICTURE if error.field in _PICTURE_FIELDS else Reason.FIELD


def require_publishable(omega: Omega) -> None:
    """Raise Rejected unless the privacy engine passed this Ω and it carries no free text."""
    if omega.privacy.verdict != Verdict.PASS:
        raise Rejected(Reason.PRIVACY, f"privacy.verdict is {omega.privacy.verdict.name}: {omega.privacy.reason!r}")
    if _ENCODER_ID.fullmatch(omega.embedding.encoder_id) is None:
        raise Rejected(Reason.FIELD, "embedding.encoder_id: is not a name of letters, digits and . _ : / + -")


def open_environment(environment: Environment, base: Picture | None = None) -> Picture:
    """Return (plate, confirmed) of an environment that carries its PNG: (H, W, 3) uint8 BGR, (H, W) bool.

    base: the picture with the digest `environment.base`; None for a whole picture.
    Raises InvalidOmega if the PNG holds anything but pixels, or if size, confirmed fraction or digest of the picture
    differ from those of the environment.
    """
    if bool(environment.base) != (base is not None):
        raise InvalidOmega("environment.base", "a patch needs its base picture, a whole picture has none")
    try:
        picture = apply_patch(environment.png, base) if base else decode_environment(environment.png)
    except ValueError as error:
        raise InvalidOmega("environment.png", str(error)) from error
    plate, confirmed = picture
    if confirmed.shape != (environment.height, environment.width):
        stated = (environment.height, environment.width)
        raise InvalidOmega("environment.size", f"{stated} is not the picture's (height, width) {confirmed.shape}")
    fraction = float(confirmed.mean())
    if abs(fraction - environment.confirmed_fraction) > CONFIRMED_TOLERANCE:
        raise InvalidOmega(
            "environment.confirmed_fraction", f"{environment.confirmed_fraction:.4f}, the picture has {fraction:.4f}"
        )
    if picture_digest(plate, confirmed) != environment.digest:
        raise InvalidOmega("environment.sha256", "is not the digest of what the picture shows")
    return picture


def follows(key: SyncKey, last: SyncKey) -> bool:
    """Say whether κ `key` comes after `last` of the same camera.

    Time always goes on. frame_id goes on too, unless the camera was started again: then it counts from 1 anew.
    """
    return key.stamp_ns > last.stamp_ns and key.frame_id != last.frame_id


def require_not_future(key: SyncKey, now_ns: int) -> None:
    """Raise Rejected if κ lies in the future. now_ns: this host's clock, ns since the epoch."""
    if key.stamp_ns > now_ns + MAX_AHEAD_NS:
        raise Rejected(Reason.ORDER, f"key: {key} is from the future; set the clocks of camera, gateway and cloud")
