"""Only what eraser and embedder of this start sealed passes the gate, for exactly these bytes and this frame."""

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256

import numpy as np
import pytest

from harness.sealed_gate import SealedGate
from privcam_core.images.environment import encode_environment, environment_of
from privcam_core.types.omega import Embedding, HeadOrientation, Omega, PrivacyReport, SubjectPose, SyncKey, Verdict
from privcam_core.types.seals import InvalidSeal, Seals
from privcam_edge.link.sealing import OmegaSealer, SealKeys, SealVerifier
from privcam_link import cdr
from privcam_link.validation import Reason, Rejected

START_NS = 1_700_000_000 * 10**9
ENCODER = Embedding("ib", (3,), 0.5, bytes(3), 0.25, 1.0)
CONFIRMED = np.ones((20, 25), np.bool_)


def png(seed: int) -> bytes:
    return encode_environment(np.random.default_rng(seed).integers(0, 256, (20, 25, 3), np.uint8), CONFIRMED)


def omega(frame: int = 1, seed: int = 0, camera: str = "room1", epoch: int = 1) -> Omega:
    key = SyncKey(camera, frame, START_NS + frame * 10**8)
    keypoints = np.full((17, 3), 0.5 + frame, np.float32)
    keypoints[:, 2] = 0.8
    return Omega(
        key,
        environment_of(key, png(seed), epoch),
        [SubjectPose(1, (1.0, 2.0, 3.0, 4.0), keypoints, HeadOrientation(0.5, 0.25, 0.0))],
        replace(ENCODER, data=bytes([frame, 2, 3])),
        PrivacyReport(0.1, 0.0, 0.0, Verdict.PASS, epsilon=12.5, delta=1e-5),
    )


@pytest.fixture
def gate() -> SealedGate:
    return SealedGate("room1", ENCODER)


def offer(gate: SealedGate, offered: Omega, seals: Seals | None) -> str:
    """Offer an Ω as bytes; return why it was rejected, "" if it passed."""
    try:
        gate.gate.check(cdr.encode(offered), seals)
    except Rejected as rejection:
        return f"{rejection.reason.value}: {rejection.text}"
    return ""


def test_sealed_omega_passes_as_value_and_as_bytes(gate: SealedGate) -> None:
    assert [offer(gate, made, gate.seal(made)) for made in (omega(1), omega(2))] == ["", ""]
    assert gate.check(omega(3)).privacy.verdict == Verdict.PASS


def test_omega_by_digest_and_with_its_picture_has_the_same_seals(gate: SealedGate) -> None:
    whole = omega(1)
    seals = gate.seal(whole)
    assert seals is not None
    bare = replace(whole, environment=whole.environment.without_png())
    assert SealVerifier(gate.keys).require_sealed(bare, seals) == seals.published
    assert SealVerifier(gate.keys).require_sealed(whole, seals) == seals.published


@pytest.mark.parametrize("form", ["bytes", "value"])
def test_raw_frames_that_nobody_sealed_do_not_pass(gate: SealedGate, form: str) -> None:
    for frame in range(1, 16):
        raw = omega(frame, seed=frame)
        with pytest.raises(Rejected, match="seal: key"):
            gate.gate.check(cdr.encode(raw) if form == "bytes" else raw, None)
    assert gate.gate.passed == 0


# What was changed after it was sealed, and the part that the rejection names.
CHANGES: dict[str, tuple[Callable[[Omega], Omega], str]] = {
    "another picture with its digest": (
        lambda o: replace(o, environment=environment_of(o.key, png(9), o.environment.epoch)),
        "environment",
    ),
    "another picture below the sealed digest": (
        lambda o: replace(o, environment=replace(o.environment, png=png(9))),
        "environment.png",
    ),
    "the same pixels, compressed otherwise": (
        lambda o: replace(o, environment=replace(o.environment, png=o.environment.png + b"!")),
        "environment.png",
    ),
    "epoch": (lambda o: replace(o, environment=replace(o.environment, epoch=2)), "environment"),
    "confirmed fraction": (
        lambda o: replace(o, environment=replace(o.environment, confirmed_fraction=0.9999)),
        "environment",
    ),
    "size": (lambda o: replace(o, environment=replace(o.environment, height=25, width=20)), "environment"),
    "key of the environment": (
        lambda o: replace(o, environment=replace(o.environment, key=SyncKey("room1", 1, 42))),
        "environment",
    ),
    "no poses": (lambda o: replace(o, poses=[]), "poses"),
    "a keypoint by one sixteenth": (
        lambda o: replace(o, poses=[replace(o.poses[0], keypoints=o.poses[0].keypoints + np.float32(0.0625))]),
        "poses",
    ),
    "subject number": (lambda o: replace(o, poses=[replace(o.poses[0], subject_id=2)]), "poses"),
    "head": (lambda o: replace(o, poses=[replace(o.poses[0], head=None)]), "poses"),
    "one value of z": (lambda o: replace(o, embedding=replace(o.embedding, data=b"\x01\x02\x04")), "embedding"),
    "verdict": (lambda o: replace(o, privacy=replace(o.privacy, verdict=Verdict.WITHHOLD)), "privacy"),
    "excluded fraction": (lambda o: replace(o, privacy=replace(o.privacy, excluded_fraction=0.2)), "privacy"),
    "budget": (lambda o: replace(o, privacy=replace(o.privacy, epsilon=-1.0)), "privacy"),
    "stamp": (lambda o: _with_key(o, SyncKey("room1", 1, o.key.stamp_ns + 59 * 10**9)), "key"),
    "frame": (lambda o: _with_key(o, SyncKey("room1", 2, o.key.stamp_ns)), "key"),
}


def _with_key(made: Omega, key: SyncKey) -> Omega:
    return replace(made, key=key, environment=replace(made.environment, key=key))


@pytest.mark.parametrize("change", CHANGES)
def test_part_that_was_changed_after_sealing_is_rejected_by_name(gate: SealedGate, change: str) -> None:
    seals = gate.seal(omega(1))
    changed, name = CHANGES[change]
    assert offer(gate, changed(omega(1)), seals).startswith(f"seal: {name}: ")
    assert offer(gate, omega(1), seals) == ""  # the forged one does not stop the true one


@pytest.mark.parametrize("part", ["environment", "poses", "embedding", "privacy"])
def test_parts_of_two_frames_do_not_go_together(gate: SealedGate, part: str) -> None:
    one, other = omega(1), omega(2, seed=1)
    other = replace(other, privacy=replace(other.privacy, excluded_fraction=0.3))
    seals = gate.seal(one), gate.seal(other)
    theirs = replace(other.environment, key=one.key) if part == "environment" else getattr(other, part)
    swapped = replace(one, **{part: theirs})
    assert [offer(gate, swapped, sealed).split(":")[0] for sealed in seals] == ["seal", "seal"]
    assert seals[0] is not None and seals[1] is not None
    for mixed in (Seals(seals[0].published, seals[1].embedded), Seals(seals[1].published, seals[0].embedded)):
        assert offer(gate, one, mixed).startswith("seal: key")


def test_seals_of_another_start_are_rejected(gate: SealedGate) -> None:
    foreign = SealedGate("room1", ENCODER, clock=gate.clock)
    mine, theirs = gate.seal(omega()), foreign.seal(omega())
    assert mine is not None and theirs is not None
    for seals in (theirs, Seals(theirs.published, mine.embedded), Seals(mine.published, theirs.embedded)):
        assert "not made with the key of this start" in offer(gate, omega(), seals)
    assert offer(gate, omega(), mine) == ""


@pytest.mark.parametrize("swap", ["eraser's key seals z", "embedder's key seals the rest"])
def test_each_seal_needs_its_own_key(gate: SealedGate, swap: str) -> None:
    keys = gate.keys
    wrong = SealKeys(*[keys.published if swap.startswith("eraser") else keys.embedded] * 3)
    seals = OmegaSealer(wrong, gate.clock).seal(omega(), sha256(omega().environment.png).digest())
    assert offer(gate, omega(), seals).startswith("seal: key")


@pytest.mark.parametrize("field", ["sealed_ns", "picture", "environment", "poses", "privacy", "code"])
def test_seal_with_a_changed_field_is_not_genuine(gate: SealedGate, field: str) -> None:
    seals = gate.seal(omega())
    assert seals is not None
    value = getattr(seals.published, field)
    changed = value + 1 if isinstance(value, int) else bytes([value[0] ^ 1]) + value[1:]
    forged = replace(seals.published, **{field: changed})
    verifier = SealVerifier(gate.keys)
    assert verifier.is_genuine(seals.published)
    assert not verifier.is_genuine(forged)
    assert offer(gate, omega(), Seals(forged, seals.embedded)).startswith("seal: key")


def test_seals_of_another_camera_do_not_open_this_gate(gate: SealedGate) -> None:
    theirs = gate.seal(omega(camera="room2"))
    assert offer(gate, omega(camera="room2"), theirs).startswith("camera: ")
    assert offer(gate, omega(), theirs).startswith("seal: key")


def test_picture_that_the_inspection_did_not_pass_is_rejected_even_if_all_else_is_sealed(gate: SealedGate) -> None:
    seals = OmegaSealer(gate.keys, gate.clock).seal(omega(), sha256(png(5)).digest())
    assert offer(gate, omega(), seals) == "seal: environment.png: is not the picture that the inspection passed"


def test_sealed_omega_with_a_bad_picture_is_still_rejected(gate: SealedGate) -> None:
    made = omega()
    environment = replace(made.environment, digest=bytes(32))
    with pytest.raises(Rejected, match="digest: environment"):
        gate.check(replace(made, environment=environment))


@pytest.mark.parametrize("step_s", [-3600, 7200, -86400, 59], ids=str)
def test_clock_that_is_set_while_the_edge_runs_costs_no_omega(gate: SealedGate, step_s: int) -> None:
    for frame in range(1, 101):
        gate.clock.advance(0.1)
        made = omega(frame)
        stamp_ns = made.key.stamp_ns + (step_s * 10**9 if frame > 50 else 0)
        gate.check(_with_key(made, SyncKey("room1", frame, stamp_ns)))
    assert (gate.gate.passed, sum(gate.gate.rejected.values())) == (100, 0)


@pytest.mark.parametrize("ahead_s", [1, 59, 3600])
def test_forged_omega_from_the_future_stops_no_true_one(gate: SealedGate, ahead_s: int) -> None:
    for frame in range(1, 21):
        true = omega(frame)
        seals = gate.seal(true)
        ahead = _with_key(true, SyncKey("room1", frame, true.key.stamp_ns + ahead_s * 10**9))
        for forged_seals in (None, seals):
            assert offer(gate, ahead, forged_seals).startswith("seal: key")
        assert offer(gate, true, seals) == ""
    assert gate.gate.passed == 20


def test_derived_keys_differ_and_show_nothing() -> None:
    keys = SealKeys.derived(lambda purpose: sha256(purpose.encode()).digest())
    assert keys.published != keys.embedded
    assert keys.published.hex() not in repr(keys)
    assert "published" not in repr(keys)


def test_malformed_seal_is_refused_by_field(gate: SealedGate) -> None:
    seals = gate.seal(omega())
    assert seals is not None
    with pytest.raises(InvalidSeal, match="poses: has 31 bytes"):
        replace(seals.published, poses=bytes(31))
    with pytest.raises(InvalidSeal, match="embedding"):
        replace(seals.embedded, embedding=b"")
    with pytest.raises(InvalidSeal, match="sealed_ns"):
        replace(seals.published, sealed_ns=-1)


def test_sealed_omega_of_messages_has_the_same_bytes_in_single_precision(gate: SealedGate) -> None:
    made = omega()
    precise = replace(
        made,
        privacy=replace(made.privacy, excluded_fraction=1 / 3, epsilon=1e7 / 3),
        poses=[replace(made.poses[0], box=(1 / 3, 2 / 3, 3.3, 4.4), head=HeadOrientation(np.pi, -np.pi / 2, 0.1))],
        embedding=replace(ENCODER, data=b"\x01\x02\x03"),
    )
    assert offer(gate, cdr.decode(cdr.encode(precise)), gate.seal(precise)) == ""
    assert gate.gate.rejected == {}
    assert Reason.SEAL not in gate.gate.rejected
