"""The gate removes hidden information from valid Ω: it measures, rounds or compares every value."""

from dataclasses import replace

import numpy as np
import pytest

from privcam_core.images.environment import encode_environment, environment_of
from privcam_core.types.omega import Embedding, Omega, PrivacyReport, SubjectPose, SyncKey, Verdict
from privcam_edge.link.gate import KNOWN_ENCODERS, Gate
from privcam_link import cdr
from privcam_link.validation import MAX_AHEAD_NS, Reason, Rejected

NOW_NS = 1_700_000_000 * 10**9


def picture(seed: int = 0) -> bytes:
    plate = np.random.default_rng(seed).integers(0, 256, (20, 25, 3), np.uint8)
    valid = np.ones((20, 25), bool)
    valid[:5] = False
    return encode_environment(plate, valid)


def omega(frame: int = 1, *, epoch: int = 1, seed: int = 0, encoder: str = "hog-1", scale: float = 0.5) -> Omega:
    key = SyncKey("room1", frame, NOW_NS + frame * 10**6)
    return Omega(
        key,
        environment_of(key, picture(seed), epoch),
        [SubjectPose(1, (1.0, 2.0, 3.0, 4.0), np.full((17, 3), 0.5, np.float32))],
        Embedding(encoder, (3,), scale, b"\x01\x02\x03", 0.25, 1.0),
        PrivacyReport(0.1, 0.25, 0.0, Verdict.PASS),
    )


def new_gate(now_ns: int = NOW_NS + 10**9) -> Gate:
    return Gate("room1", max_rate_hz=1000, wall=lambda: now_ns)


def test_withheld_fraction_of_the_report_is_measured_on_the_picture() -> None:
    lying = replace(omega(), privacy=replace(omega().privacy, withheld_fraction=0.987654))
    assert new_gate().check(lying).privacy.withheld_fraction == 0.25


def test_nothing_is_hidden_where_nobody_looks() -> None:
    keypoints = np.full((17, 3), 0.5, np.float32)
    keypoints[3] = 123.456, 654.321, 0.1  # not seen
    keypoints[4, :2] += 0.01
    hidden = replace(
        omega(),
        environment=replace(omega().environment, key=SyncKey("room1", 1, 42), epoch=4_000_000_000),
        poses=[SubjectPose(1, (1.0001, 2.0, 3.0, 4.0), keypoints, None, 55)],
        privacy=PrivacyReport(0.1000049, 0.25, 0.0, Verdict.PASS, epsilon=-5e9, delta=0.123456789),
    )
    clean = replace(omega(), poses=[replace(omega().poses[0], keypoints=keypoints.copy())])
    clean.poses[0].keypoints[3] = 0.0
    clean.poses[0].keypoints[4, :2] = 0.5
    assert cdr.encode(new_gate().check(hidden)) == cdr.encode(new_gate().check(clean))


def test_epoch_counts_the_pictures_that_left() -> None:
    gate = new_gate()
    offered = [(77, 0), (3, 0), (2**32 - 1, 1), (1, 1), (5, 0)]
    epochs = [
        gate.check(omega(frame, epoch=epoch, seed=seed)).environment.epoch
        for frame, (epoch, seed) in enumerate(offered, 1)
    ]
    assert epochs == [1, 1, 2, 2, 3]


def test_encoders_do_not_change_from_frame_to_frame() -> None:
    gate = new_gate()
    for n in range(KNOWN_ENCODERS):
        gate.check(omega(n + 1, encoder=f"hog-{n}"))
    for other in ({"encoder": "Mr_Smith_in_bed_4"}, {"scale": 0.25}):
        with pytest.raises(Rejected, match=r"field: embedding\.encoder_id"):
            gate.check(omega(10, **other))  # type: ignore[arg-type]
    assert gate.check(omega(11, encoder="hog-2")).embedding.encoder_id == "hog-2"
    assert gate.rejected == {Reason.FIELD: 2}


def test_encoder_of_a_rejected_omega_is_not_stored() -> None:
    gate = new_gate()
    for n in range(9):
        bad = omega(1, encoder=f"other-{n}")
        with pytest.raises(Rejected):
            gate.check(replace(bad, environment=replace(bad.environment, digest=bytes(32))))
    assert gate.check(omega()).embedding.encoder_id == "hog-1"


@pytest.mark.parametrize(("ahead_ns", "passes"), [(MAX_AHEAD_NS, True), (MAX_AHEAD_NS + 1, False)])
def test_key_from_the_future_does_not_block_later_keys(ahead_ns: int, passes: bool) -> None:
    gate = new_gate(omega().key.stamp_ns - ahead_ns)
    if passes:
        gate.check(omega())
    else:
        with pytest.raises(Rejected, match="order: key"):
            gate.check(omega())


def test_pictures_of_changing_sizes_do_not_fill_the_memory() -> None:
    gate = new_gate()
    for frame in range(1, 40):
        key = SyncKey("room1", frame, NOW_NS + frame * 10**6)
        plate = np.full((frame, 2 * frame, 3), frame, np.uint8)
        png = encode_environment(plate, np.ones(plate.shape[:2], bool))
        gate.check(replace(omega(frame), environment=environment_of(key, png, 1)))
    assert len(gate._pictures) == 4
