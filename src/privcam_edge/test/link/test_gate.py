"""The gate passes valid Ω and rejects all others with a counted reason."""

import ast
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.sealed_gate import SealClock, SealedGate
from privcam_core.images.environment import FILL, decode_environment, encode_environment, picture_digest
from privcam_core.types.omega import (
    Embedding,
    Environment,
    HeadOrientation,
    Omega,
    PrivacyReport,
    SubjectPose,
    SyncKey,
    Verdict,
)
from privcam_core.types.time import NS_PER_S
from privcam_edge import link
from privcam_edge.link.gate import KNOWN_PICTURES
from privcam_link import cdr
from privcam_link.patches import encode_patch
from privcam_link.validation import Reason, Rejected

START = 1_700_000_000 * NS_PER_S


# What is the same in every z of these tests.
ENCODER = Embedding("hog-1", (3,), 0.5, bytes(3), 0.25, 1.0)


def new_gate(camera_id: str = "room1", **settings: Any) -> SealedGate:
    return SealedGate(camera_id, ENCODER, **settings)


def picture(seed: int = 0, *, level: int | None = None) -> bytes:
    """Return a PNG; level: compressed by another encoder, so with other bytes than the gate makes."""
    plate = np.random.default_rng(seed).integers(0, 256, (24, 32, 3), np.uint8)
    confirmed_mask = np.ones((24, 32), bool)
    confirmed_mask[4:12, 8:16] = False
    if level is None:
        return encode_environment(plate, confirmed_mask)
    import cv2

    rgba = np.dstack([plate, np.where(confirmed_mask, 255, 0).astype(np.uint8)])
    rgba[~confirmed_mask, :3] = FILL
    return cv2.imencode(".png", rgba, (cv2.IMWRITE_PNG_COMPRESSION, level))[1].tobytes()


def digest(png: bytes) -> bytes:
    """Return the digest of a picture, or a fixed value for bytes that are no picture."""
    try:
        return picture_digest(*decode_environment(png))
    except ValueError:
        return bytes(range(32))


PNG = picture()
CONFIRMED_FRACTION = 1 - 64 / 768
SCENE = decode_environment(PNG)


def omega(frame: int = 1, png: bytes = PNG, **changes: object) -> Omega:
    """The Ω of one frame; `changes` go to the part that has a field of that name."""
    key = SyncKey("room1", frame, START + frame * NS_PER_S // 10)
    parts = {
        "environment": Environment(key, png, digest(png), 24, 32, CONFIRMED_FRACTION, 1),
        "embedding": Embedding("hog-1", (3,), 0.5, b"\x01\x02\x03", 0.25, 1.0),
        "privacy": PrivacyReport(0.1, 0.2, 0.0, Verdict.PASS),
    }
    for name, value in changes.items():
        owner = next((part for part, held in parts.items() if hasattr(held, name)), None)
        parts[owner or name] = replace(parts[owner], **{name: value}) if owner else value
    points = np.full((17, 3), 0.5, np.float32)
    pose = SubjectPose(1, (1.0, 2.0, 3.0, 4.0), points, HeadOrientation(0.5, 0.25, 0.0), 0)
    return Omega(key, poses=[pose], **parts)  # type: ignore[arg-type]


def by_digest(frame: int, png: bytes = PNG) -> Omega:
    whole = omega(frame, png)
    return replace(whole, environment=whole.environment.without_png())


def patched(old: bytes, new: bytes, source: Omega | None = None) -> bytes:
    payload = cdr.encode(source or omega())
    assert payload.count(old) == 1
    return payload.replace(old, new)


def with_png(png: bytes) -> Omega:
    return omega(png=png)


def f32(*values: float) -> bytes:
    return np.array(values, "<f4").tobytes()


REJECTED: dict[str, tuple[bytes | Omega, Reason, str]] = {
    "too_large": (bytes(cdr.MAX_OMEGA_BYTES + 1), Reason.TOO_LARGE, "payload"),
    "no_bytes": (b"", Reason.FIELD, "payload"),
    "text": (b"GET / HTTP/1.1", Reason.FIELD, "payload"),
    "big_endian": (b"\x00\x00\x00\x00" + cdr.encode(omega())[4:], Reason.FIELD, "payload"),
    "an_image": (b"\x00\x01\x00\x00" + bytes(24 * 32 * 3), Reason.SCHEMA, "schema"),
    "bytes_after_the_end": (cdr.encode(omega()) + bytes(4), Reason.FIELD, "payload"),
    "other_schema": (b"\x00\x01\x00\x00\x01" + cdr.encode(omega())[5:], Reason.SCHEMA, "schema"),
    "withheld": (omega(verdict=Verdict.WITHHOLD, reason="motion"), Reason.PRIVACY, "privacy.verdict"),
    "text_as_encoder": (omega(encoder_id="Mr Smith in bed 4"), Reason.FIELD, "embedding.encoder_id"),
    "keypoint_not_finite": (patched(f32(0.5, 0.5, 0.5) * 17, f32(np.nan, 0.5, 0.5) + f32(0.5, 0.5, 0.5) * 16),
                            Reason.FIELD, "pose.keypoints"),
    "keypoint_far_away": (patched(f32(0.5, 0.5, 0.5) * 17, f32(1e9, 0.5, 0.5) + f32(0.5, 0.5, 0.5) * 16),
                          Reason.FIELD, "pose.keypoints"),
    "box_turned_round": (patched(f32(1, 2, 3, 4), f32(3, 2, 1, 4)), Reason.FIELD, "pose.box"),
    "angle_out_of_range": (patched(f32(0.5, 0.25, 0), f32(0.5, 9, 0)), Reason.FIELD, "pose.head.pitch"),
    "too_many_subjects": (patched(b"\x01\x00\x00\x00" * 2 + f32(1, 2), b"\x41\x00\x00\x00\x01\x00\x00\x00" + f32(1, 2)),
                          Reason.FIELD, "poses"),
    "other_dtype": (patched(b"int8\x00", b"intX\x00"), Reason.FIELD, "embedding.dtype"),
    "wrong_digest": (patched(digest(PNG), bytes(32)), Reason.DIGEST, "environment.sha256"),
    "unknown_digest": (by_digest(1), Reason.UNKNOWN_PICTURE, "environment.sha256"),
    "not_a_png": (with_png(b"\xff\xd8\xff\xe0 jpeg"), Reason.PICTURE, "environment.png"),
    "bytes_after_the_png": (with_png(PNG + b"secret"), Reason.PICTURE, "environment.png"),
    "text_in_the_png": (with_png(PNG[:33] + bytes.fromhex("00000006") + b"tEXtsecret" + bytes(4) + PNG[33:]),
                        Reason.PICTURE, "environment.png"),
    "other_height": (omega(height=25), Reason.PICTURE, "environment.size"),
    "other_width": (omega(width=31), Reason.PICTURE, "environment.size"),
    "implausible_confirmed_fraction": (omega(confirmed_fraction=0.5), Reason.PICTURE, "environment.confirmed_fraction"),
    "patch": (omega(base=bytes([1]) * 32), Reason.PICTURE, "environment.base"),
    "patch_that_keeps_all": (omega(png=encode_patch(SCENE, SCENE), digest=digest(PNG), base=bytes([1]) * 32),
                             Reason.PICTURE, "environment.base"),
    "picture_of_another": (omega(png=picture(1), digest=digest(PNG)), Reason.DIGEST, "environment.sha256"),
}  # fmt: skip


@pytest.mark.parametrize("name", REJECTED)
def test_rejection_is_counted_with_its_reason_and_names_the_field(name: str) -> None:
    offered, reason, field = REJECTED[name]
    gate = new_gate()
    with pytest.raises(Rejected) as rejection:
        gate.check(offered)
    assert rejection.value.reason == reason
    assert rejection.value.text.startswith(field)
    assert (gate.gate.rejected, gate.gate.passed) == ({reason: 1}, 0)


def test_every_reason_of_the_gate_is_tested_here() -> None:
    tested = {reason for _, reason, _ in REJECTED.values()}
    assert set(Reason) - tested == {
        Reason.TYPE,
        Reason.CAMERA,
        Reason.ORDER,
        Reason.SEAL,
        Reason.RATE,
        Reason.QUERY,
        Reason.COMPRESSION,
    }


def test_rejected_omega_does_not_stop_the_next_good_one() -> None:
    gate = new_gate()
    for offered, _, _ in REJECTED.values():
        with pytest.raises(Rejected):
            gate.check(offered)
    assert gate.check(omega()).key.frame_id == 1
    assert sum(gate.gate.rejected.values()) == len(REJECTED)


def test_omega_of_another_camera_is_rejected() -> None:
    gate = new_gate("room2")
    with pytest.raises(Rejected, match=r"camera: key\.camera_id"):
        gate.check(omega())
    assert gate.gate.rejected == {Reason.CAMERA: 1}


def test_omega_that_was_offered_before_is_rejected() -> None:
    gate = new_gate()
    first, second = omega(1), omega(2)
    seals = gate.seal(first), gate.seal(second)
    for offered, sealed in zip((first, second), seals, strict=True):
        gate.gate.check(offered, sealed)
    for offered, sealed in zip((second, first), reversed(seals), strict=True):
        with pytest.raises(Rejected, match="order: key"):
            gate.gate.check(offered, sealed)
    assert gate.gate.rejected == {Reason.ORDER: 2}


def test_gate_of_a_restarted_process_continues_after_the_last_omega_that_passed() -> None:
    before = new_gate()
    early, sealed_early = omega(3), before.seal(omega(3))
    late, sealed_late = omega(4), before.seal(omega(4))  # on its way while the bridge is started again
    gate = new_gate(last=omega(3).key, clock=before.clock, keys=before.keys)
    with pytest.raises(Rejected, match="order: key"):
        gate.gate.check(early, sealed_early)
    assert gate.gate.check(late, sealed_late).key.frame_id == 4


def test_rate_is_limited_and_refills_with_time() -> None:
    clock = SealClock()
    gate = new_gate(max_rate_hz=5, clock=clock)
    for frame in range(1, 6):
        gate.check(omega(frame))
    with pytest.raises(Rejected, match="rate: key"):
        gate.check(omega(6))
    clock.advance(0.2)
    gate.check(omega(7))
    with pytest.raises(Rejected, match="rate"):
        gate.check(omega(8))
    assert gate.gate.rejected == {Reason.RATE: 2}


def test_picture_is_encoded_again_and_keeps_the_digest_of_its_pixels() -> None:
    foreign = picture(level=9)
    clean = new_gate().check(omega(png=foreign)).environment
    assert clean.png == PNG != foreign
    assert clean.digest == digest(clean.png) == digest(foreign)
    for made, offered in zip(decode_environment(clean.png), decode_environment(foreign), strict=True):
        np.testing.assert_array_equal(made, offered)


def test_one_picture_always_leaves_as_the_same_bytes_with_the_same_digest() -> None:
    gate = new_gate()
    foreign = picture(level=9)
    first = gate.check(omega(1, foreign)).environment
    for offered in (by_digest(2, foreign), omega(3, foreign), omega(4, PNG), by_digest(5, PNG)):
        again = gate.check(offered).environment
        assert (again.png, again.digest, again.confirmed_fraction) == (
            first.png,
            first.digest,
            first.confirmed_fraction,
        )


def test_omega_by_digest_leaves_the_gate_with_its_picture() -> None:
    gate = new_gate()
    gate.check(omega(1))
    assert gate.check(by_digest(2)).environment.png == PNG


def test_omega_by_digest_with_another_size_than_its_picture_is_rejected() -> None:
    gate = new_gate()
    gate.check(omega(1))
    bare = by_digest(2)
    with pytest.raises(Rejected, match=r"picture: environment\.size"):
        gate.check(replace(bare, environment=replace(bare.environment, height=48)))


def test_confirmed_fraction_is_measured_on_the_pixels() -> None:
    clean = new_gate().check(omega(confirmed_fraction=CONFIRMED_FRACTION + 0.0005))
    assert clean.environment.confirmed_fraction == pytest.approx(CONFIRMED_FRACTION, abs=1e-9)


def test_only_the_newest_pictures_are_kept() -> None:
    gate = new_gate()
    pictures = [picture(seed) for seed in range(KNOWN_PICTURES + 1)]
    for frame, png in enumerate(pictures, start=1):
        gate.check(omega(frame, png))
    gate.check(by_digest(10, pictures[1]))
    with pytest.raises(Rejected, match="unknown_picture"):
        gate.check(by_digest(11, pictures[0]))


def test_bytes_and_value_pass_alike() -> None:
    by_bytes = new_gate().check(cdr.encode(omega()))
    by_value = new_gate().check(omega())
    assert cdr.encode(by_bytes) == cdr.encode(by_value)


GOOD = cdr.encode(omega())


@settings(deadline=None, max_examples=400)
@given(
    st.lists(st.tuples(st.integers(4, len(GOOD) - 1), st.integers(0, 255)), min_size=1, max_size=4), st.integers(0, 40)
)
def test_changed_bytes_pass_only_as_a_clean_omega(changes: list[tuple[int, int]], cut: int) -> None:
    bad = bytearray(GOOD)
    for place, value in changes:
        bad[place] = value
    gate = new_gate()
    try:
        clean = gate.check(bytes(bad[: len(bad) - cut] if cut > 20 else bad))
    except Rejected as rejection:
        assert gate.gate.rejected == {rejection.reason: 1}
        return
    assert (clean.environment.png, clean.key.camera_id, clean.privacy.verdict) == (PNG, "room1", Verdict.PASS)
    assert cdr.encode(cdr.decode(cdr.encode(clean))) == cdr.encode(clean)


@settings(deadline=None)
@given(st.binary(max_size=400))
def test_arbitrary_bytes_never_pass(data: bytes) -> None:
    gate = new_gate()
    with pytest.raises(Rejected):
        gate.check(b"\x00\x01\x00\x00" + data)


def test_padding_never_reaches_the_other_side() -> None:
    dirty = bytearray(GOOD)
    place = GOOD.index(b"room1\x00") + 6
    dirty[place : place + 2] = b"PX"
    clean = cdr.encode(new_gate().check(bytes(dirty)))
    assert clean == cdr.encode(new_gate().check(GOOD))
    assert clean[place : place + 2] == bytes(2)


@pytest.mark.parametrize("rate", [0.0, -1.0, float("inf"), float("nan")])
def test_invalid_rate_is_rejected(rate: float) -> None:
    with pytest.raises(ValueError, match="max_rate_hz"):
        new_gate("room1", max_rate_hz=rate)


def test_invalid_camera_id_is_rejected() -> None:
    with pytest.raises(ValueError, match="camera_id"):
        new_gate("room1/**")


def test_nothing_in_the_link_can_reach_a_frame() -> None:
    allowed = ("privcam_core", "privcam_link", "privcam_edge.link", "zenoh")
    for source in sorted(Path(link.__file__).parent.glob("*.py")):
        for node in ast.walk(ast.parse(source.read_text())):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            for name in names:
                ours = name.startswith(("privcam", "rclpy", "sensor_msgs", "cv2", "numpy"))
                assert not ours or name.startswith(allowed), f"{source.name} imports {name}"
