"""The test oracle: the rules of docs/wire.md implemented a second time, and the exact bytes that the gate must write.

The oracle uses none of the checks of `privcam_core`, so it does not repeat a mistake there.
"""

import re
import struct
from dataclasses import dataclass, field
from hashlib import sha256
from math import ceil, floor, isfinite, log10, pi

import numpy as np

from fuzzing import raw_png as png_format
from fuzzing.omega_layout import KEYS, ROW_BYTES, Malformed, Raw, bytes_of, number, read, text_of, value_of, write
from fuzzing.raw_png import NotPlain, Pixels
from privcam_core.images.environment import encode_environment

KEPT = 127
_FILL = (128, 128, 128)
_AHEAD_NS = 60 * 10**9
_BARE = 32 * 1024
# Subject numbers may be this far above the highest one, and so much further per second. Bodies reach so many pictures.
_SUBJECTS, _SUBJECTS_PER_S, _REACH = 64.0, 10.0, 6
# Rates that a privacy report may state, per second.
_RATES = (0, 0.5, 1, 2, 3, 4, 6, 8, 10, 15, 30, 60)

Key = tuple[bytes, int, int]


class Broken(ValueError):
    """A rule is broken."""


@dataclass
class Situation:
    """The state of one end of the link.

    camera: whose Ω are taken. last: frame_id and stamp of the last one. now_ns: its clock. pictures: by digest, RGBA.
    encoder: the pinned one. highest: of the subject numbers so far; spare_numbers: how far it could be exceeded at
    spare_at_s; now_s: seconds since boot. rates: detector_hz, pose_hz and unseen_people that left first in second
    rates_s. patches: whether a base may be named. exact: whether the bytes have to be those of our own writer.
    """

    camera: bytes
    now_ns: int
    last: tuple[int, int] | None = None
    pictures: dict[bytes, Pixels] = field(default_factory=dict)
    encoder: bytes = b""
    highest: int | None = None
    spare_numbers: float = _SUBJECTS
    spare_at_s: float = 0.0
    now_s: float = 0.0
    rates: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rates_s: int = -1
    visible: bytes = b""
    epoch: int = 0
    patches: bool = False
    exact: bool = False


def require(condition: bool, rule: str) -> None:
    """Raise Broken with the rule's name unless the condition holds."""
    if not condition:
        raise Broken(rule)


def judge(payload: bytes, situation: Situation) -> tuple[Raw, Pixels | None]:
    """Return the parts of an Ω that keeps all rules, and its picture if it is known. Raises Broken."""
    require(len(payload) <= 16 * 2**20 + _BARE, "size")
    try:
        raw = read(payload)
        require(not situation.exact or _as_written(raw) == payload, "bytes that say nothing")
        key = _keys(raw)
        _plain_fields(raw)
        _poses(raw)
        _embedding(raw)
        _report(raw)
    except Malformed as error:
        raise Broken(str(error)) from error
    # At the cloud a recording is a stream of its own, which may be played again and again.
    _turn(key, situation, in_order=not (situation.exact and value_of(raw, "privacy.replay")))
    if not situation.exact:
        require(encoder_of(raw) == situation.encoder, "encoder")
        _near(raw)
        spare = spare_numbers(situation)
        require(situation.highest is None or highest_subject(raw) - situation.highest <= spare, "subject numbers")
    return raw, _picture(raw, situation)


def _as_written(raw: Raw) -> bytes:
    """Return the bytes that our own writer makes: rows by layer, zeros between fields and for a head that is not."""
    data = bytes_of(raw, "poses")
    rows = sorted((data[at : at + ROW_BYTES] for at in range(0, len(data), ROW_BYTES)), key=lambda row: row[240])
    written = b"".join(
        row[:225] + bytes(3) + (row[228:240] if row[224] else bytes(12)) + row[240:241] + bytes(3) for row in rows
    )
    return write(raw | {"poses": (len(rows), written)})


def encoder_of(raw: Raw) -> bytes:
    """Return what belongs to the encoder and not to the frame."""
    names = ("encoder_id", "shape", "scale", "noise_sigma", "clip_norm")
    return b"|".join(bytes_of(raw, f"embedding.{name}") for name in names)


def highest_subject(raw: Raw) -> int:
    """Return the highest subject number, 0 without subjects."""
    rows = bytes_of(raw, "poses")
    return max((int.from_bytes(rows[at : at + 4], "little") for at in range(0, len(rows), ROW_BYTES)), default=0)


def spare_numbers(situation: Situation) -> float:
    """Return by how much the highest subject number may be exceeded now."""
    passed_s = situation.now_s - situation.spare_at_s
    return min(_SUBJECTS, situation.spare_numbers + passed_s * _SUBJECTS_PER_S)


def rates_that_leave(raw: Raw, situation: Situation) -> tuple[float, float, float]:
    """Return detector_hz, pose_hz and unseen_people of the first Ω in this second, of this one if there was none."""
    if int(situation.now_s) == situation.rates_s:
        return situation.rates
    rates = abs(value_of(raw, "privacy.detector_hz")), abs(value_of(raw, "privacy.pose_hz"))
    return *rates, value_of(raw, "privacy.unseen_people")


def _near(raw: Raw) -> None:
    rows = np.frombuffer(bytes_of(raw, "poses"), np.uint8).reshape(-1, ROW_BYTES)
    floats = np.ascontiguousarray(rows[:, 4:224]).view("<f4")
    visible = np.where(floats[:, 6::3] >= np.float32(0.2), 1.0, 0.0)
    reach = _REACH * max(value_of(raw, "environment.height"), value_of(raw, "environment.width"))
    for values in (floats[:, :4], floats[:, 4::3] * visible, floats[:, 5::3] * visible):
        require(bool((np.abs(values) <= reach).all()), "a body is far from the picture")


def key_of(raw: Raw, name: str) -> Key:
    """Return camera_id, frame_id and stamp of one of the keys."""
    seconds, nanoseconds = value_of(raw, f"{name}.seconds"), value_of(raw, f"{name}.nanoseconds")
    stamp = int(seconds) * 10**9 + int(nanoseconds)
    return text_of(raw, f"{name}.camera_id"), int(value_of(raw, f"{name}.frame_id")), stamp


def _keys(raw: Raw) -> Key:
    found = {}
    for name in KEYS:
        camera, frame, stamp = found[name] = key_of(raw, name)
        require(re.fullmatch(rb"[a-z0-9_]{1,64}", camera) is not None, f"{name}.camera_id")
        require(frame >= 1, f"{name}.frame_id")
        require(value_of(raw, f"{name}.nanoseconds") < 10**9 and stamp > 0, f"{name}.stamp")
    key, environment = found["key"], found["environment.key"]
    require(all(found[name] == key for name in KEYS if name != "environment.key"), "keys of two frames")
    require(environment[0] == key[0] and environment[1] <= key[1] and environment[2] <= key[2], "environment.key")
    return key


def _turn(key: Key, situation: Situation, *, in_order: bool) -> None:
    require(key[0] == situation.camera, "other camera")
    if not in_order:
        return
    if situation.last is not None:
        require(key[2] > situation.last[1] and key[1] != situation.last[0], "not newer")
    require(key[2] <= situation.now_ns + _AHEAD_NS, "future")


def _plain_fields(raw: Raw) -> None:
    require(value_of(raw, "schema") == 5, "schema")
    for name in ("seconds", "nanoseconds"):
        require(value_of(raw, f"environment.png.header.{name}") == 0, "header")
    require(text_of(raw, "environment.png.header.frame_id") == b"", "header")
    require(text_of(raw, "environment.png.format") == b"png", "format")
    require(0 < value_of(raw, "environment.height") <= 4320, "height")
    require(0 < value_of(raw, "environment.width") <= 7680, "width")
    require(0 <= value_of(raw, "environment.confirmed_fraction") <= 1, "validity")
    require(value_of(raw, "environment.epoch") >= 1, "epoch")


def _poses(raw: Raw) -> None:
    data = bytes_of(raw, "poses")
    require(len(data) <= 64 * ROW_BYTES, "poses")
    table = np.frombuffer(data, np.uint8).reshape(-1, ROW_BYTES)
    floats, angles = (np.ascontiguousarray(table[:, a:b]).view("<f4") for a, b in ((4, 224), (228, 240)))
    valid, layers = table[:, 224], table[:, 240].tolist()
    subjects = np.ascontiguousarray(table[:, :4]).view("<u4")[:, 0].tolist()
    require(bool(np.isfinite(floats).all() and np.isfinite(angles).all()), "a pose is not finite")
    require(bool((np.abs(floats) <= 30720).all()), "a pose is far away")
    require(bool((floats[:, 2:4] > floats[:, :2]).all()), "box")
    require(bool(((floats[:, 6::3] >= 0) & (floats[:, 6::3] <= 1)).all()), "rho")
    require(bool((valid <= 1).all()) and not angles[valid == 0].any(), "head")
    require(bool((np.abs(angles) * (1, 2, 1) <= float(np.float32(pi))).all()), "head angles")
    require(all(number >= 1 for number in subjects) and all(layer < 64 for layer in layers), "subject")
    require(len(set(subjects)) == len(set(layers)) == len(table), "two of one subject or layer")


def _embedding(raw: Raw) -> None:
    require(re.fullmatch(rb"[A-Za-z0-9._:/+-]{1,128}", text_of(raw, "embedding.encoder_id")) is not None, "encoder_id")
    data = bytes_of(raw, "embedding.shape")
    shape = struct.unpack(f"<{len(data) // 4}I", data)
    require(1 <= len(shape) <= 4, "dimensions")
    values = 1
    for size in shape:
        values *= size
    require(1 <= values <= 4096 and len(bytes_of(raw, "embedding.data")) == values, "shape")
    require(text_of(raw, "embedding.dtype") == b"int8", "dtype")
    scale, norm, sigma = (value_of(raw, f"embedding.{name}") for name in ("scale", "clip_norm", "noise_sigma"))
    require(isfinite(scale) and isfinite(norm) and scale > 0 and norm > 0 and 0 <= sigma <= 1e6, "encoder's numbers")


def _report(raw: Raw) -> None:
    for name in ("excluded_fraction", "withheld_fraction", "quarantined_fraction"):
        require(0 <= value_of(raw, f"privacy.{name}") <= 1, name)
    require(value_of(raw, "privacy.verdict") == 1, "verdict")
    require(value_of(raw, "privacy.sight") <= 9, "sight")
    require(value_of(raw, "privacy.replay") <= 1, "replay")
    require(text_of(raw, "privacy.reason") == b"", "reason")
    require(isfinite(value_of(raw, "privacy.epsilon")) and 0 <= value_of(raw, "privacy.delta") < 1, "budget")
    require(all(value_of(raw, f"privacy.{name}") in _RATES for name in ("detector_hz", "pose_hz")), "rates")
    require(value_of(raw, "privacy.unseen_people") <= 15, "unseen people")


def _picture(raw: Raw, situation: Situation) -> Pixels | None:
    png, digest, base = (bytes_of(raw, f"environment.{name}") for name in ("png.data", "sha256", "base"))
    patch = base != bytes(32)
    require(not patch or (situation.patches and png != b"" and base != digest), "base")
    size = (value_of(raw, "environment.height"), value_of(raw, "environment.width"))
    rgba = situation.pictures.get(digest)
    # The PNG of a picture that is known is not read, and goes no further.
    if png and rgba is None:
        try:
            visible = png_format.read(png)
        except NotPlain as error:
            raise Broken(f"PNG: {error}") from error
        if patch:
            require(base in situation.pictures, "base is not known")
            visible = _patched(visible, situation.pictures[base])
        require_shown(visible)
        require(visible.shape[:2] == size, "size")
        confirmed = float((visible[..., 3] == 255).mean())
        require(abs(confirmed - value_of(raw, "environment.confirmed_fraction")) <= 1e-3, "validity of the picture")
        require(digest_of(visible) == digest, "digest")
        rgba = visible
    require(rgba is not None or situation.exact, "unknown picture")
    require(rgba is None or situation.exact or rgba.shape[:2] == size, "size")
    return rgba


def require_shown(rgba: Pixels) -> None:
    """Raise Broken for alpha values other than 0 and 255, and for colours below 0."""
    alpha = rgba[..., 3]
    require(bool(np.isin(alpha, (0, 255)).all()), "alpha")
    require(bool((rgba[alpha == 0, :3] == _FILL).all()), "hidden colour")


def digest_of(rgba: Pixels) -> bytes:
    """Return the digest of a picture that hides nothing."""
    return sha256(struct.pack("<II", *rgba.shape[:2]) + rgba.tobytes()).digest()


def _patched(patch: Pixels, base: Pixels) -> Pixels:
    require(patch.shape == base.shape, "size of the patch")
    kept = patch[..., 3] == KEPT
    require(not patch[kept, :3].any(), "hidden colour in a patch")
    return np.where(kept[..., None], base, patch)


def expected_output(raw: Raw, rgba: Pixels, situation: Situation) -> bytes:
    """Return the bytes that a gate has to make of an Ω that keeps all rules."""
    valid = rgba[..., 3] == 255
    plate = np.ascontiguousarray(rgba[..., 2::-1])
    png = encode_environment(plate, valid)
    out = dict(raw)
    for part in ("camera_id", "frame_id", "seconds", "nanoseconds"):
        out[f"environment.key.{part}"] = raw[f"key.{part}"]
    out["environment.png.data"] = (len(png), png)
    confirmed = float(valid.mean())
    out["environment.confirmed_fraction"] = number("f", confirmed)
    out["environment.epoch"] = number("I", situation.epoch + (situation.visible != bytes_of(raw, "environment.sha256")))
    for name in ("excluded_fraction", "withheld_fraction", "quarantined_fraction"):
        area = 1 - confirmed if name == "withheld_fraction" else value_of(raw, f"privacy.{name}")
        out[f"privacy.{name}"] = number("f", abs(round(area, 4)))
    epsilon, delta = value_of(raw, "privacy.epsilon"), value_of(raw, "privacy.delta")
    accounted = epsilon >= 0
    out["privacy.epsilon"] = number("f", min(_three_digits(epsilon), 1e12) if accounted else -1.0)
    require(not accounted or _three_digits(delta) < 1, "nothing is left of delta")
    out["privacy.delta"] = number("d8", _three_digits(delta) if accounted else 0.0)
    detector_hz, pose_hz, unseen = rates_that_leave(raw, situation)
    out["privacy.detector_hz"], out["privacy.pose_hz"] = number("f", detector_hz), number("f", pose_hz)
    out["privacy.unseen_people"] = number("B", int(unseen))
    rows = bytes_of(raw, "poses")
    ordered = sorted((rows[at : at + ROW_BYTES] for at in range(0, len(rows), ROW_BYTES)), key=lambda row: row[240])
    out["poses"] = (len(ordered), b"".join(_row(row, layer) for layer, row in enumerate(ordered)))
    return write(out)


def _row(row: bytes, layer: int) -> bytes:
    subject, *floats = struct.unpack_from("<I55f", row)
    valid, *angles = struct.unpack_from("<B3x3f", row, 224)
    box = [_step(value, 1) for value in floats[:4]]
    require(box[2] > box[0] and box[3] > box[1], "nothing is left of a box")
    points: list[float] = []
    for u, v, rho in zip(floats[4::3], floats[5::3], floats[6::3], strict=True):
        points += (_step(u, 1), _step(v, 1), _step(rho, 20)) if rho >= np.float32(0.2) else (0.0, 0.0, 0.0)
    angles = [_step(angle, 16) for angle in angles]
    return struct.pack("<I55fB3x3fB3x", subject, *box, *points, valid, *angles, layer)


def _step(value: float, per_unit: int) -> float:
    return round(value * per_unit) / per_unit


def _three_digits(value: float) -> float:
    if value < 1e-12:
        return 1e-12 if value else 0.0
    digits = floor(log10(value)) - 2
    return float(f"{ceil(value / 10.0**digits - 1e-4)}e{digits}")
