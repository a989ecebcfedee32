"""The gate removes hidden information from valid Ω: it measures, rounds or compares every value."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from harness.sealed_gate import SealedGate
from privcam_core.images.environment import encode_environment, environment_of
from privcam_core.types.omega import Embedding, Omega, PrivacyReport, SubjectPose, SyncKey, Verdict
from privcam_edge.link.budgets import SUBJECTS_BURST, SUBJECTS_PER_S
from privcam_link import cdr
from privcam_link.validation import Reason, Rejected

NOW_NS = 1_700_000_000 * 10**9


def picture(seed: int = 0) -> bytes:
    plate = np.random.default_rng(seed).integers(0, 256, (20, 25, 3), np.uint8)
    valid = np.ones((20, 25), bool)
    valid[:5] = False
    return encode_environment(plate, valid)


def omega(frame: int = 1, *, epoch: int = 1, seed: int = 0) -> Omega:
    key = SyncKey("room1", frame, NOW_NS + frame * 10**6)
    return Omega(
        key,
        environment_of(key, picture(seed), epoch),
        [SubjectPose(1, (1.0, 2.0, 3.0, 4.0), np.full((17, 3), 0.5, np.float32))],
        Embedding("hog-1", (3,), 0.5, b"\x01\x02\x03", 0.25, 1.0),
        PrivacyReport(0.1, 0.25, 0.0, Verdict.PASS),
    )


def new_gate() -> SealedGate:
    return SealedGate("room1", omega().embedding, max_rate_hz=1000)


def test_withheld_fraction_of_the_report_is_measured_on_the_picture() -> None:
    lying = replace(omega(), privacy=replace(omega().privacy, withheld_fraction=0.987654))
    assert new_gate().check(lying).privacy.withheld_fraction == 0.25


def test_nothing_is_hidden_where_nobody_looks() -> None:
    keypoints = np.full((17, 3), 0.5, np.float32)
    keypoints[3] = 123.456, 654.321, 0.1  # not seen
    keypoints[4] += (-0.01, -0.01, 0.01)
    hidden = replace(
        omega(),
        environment=replace(omega().environment, key=SyncKey("room1", 1, 42), epoch=4_000_000_000),
        poses=[SubjectPose(1, (1.4, 2.0, 3.0, 4.0), keypoints, None, 55)],
        privacy=PrivacyReport(0.1000049, 0.25, 0.0, Verdict.PASS, epsilon=-5e9, delta=0.123456789),
    )
    clean = replace(omega(), poses=[replace(omega().poses[0], keypoints=keypoints.copy())])
    clean.poses[0].keypoints[3] = 0.0
    clean.poses[0].keypoints[4] = 0.5
    assert cdr.encode(new_gate().check(hidden)) == cdr.encode(new_gate().check(clean))


def test_epoch_counts_the_pictures_that_left() -> None:
    gate = new_gate()
    offered = [(77, 0), (3, 0), (2**32 - 1, 1), (1, 1), (5, 0)]
    epochs = [
        gate.check(omega(frame, epoch=epoch, seed=seed)).environment.epoch
        for frame, (epoch, seed) in enumerate(offered, 1)
    ]
    assert epochs == [1, 1, 2, 2, 3]


@pytest.mark.parametrize(
    "change",
    [
        {"encoder_id": "Mr_Smith_in_bed_4"},
        {"scale": 0.25},
        {"noise_sigma": 0.2500001},
        {"clip_norm": 2.0},
        {"shape": (1, 3)},
        {"shape": (4,), "data": bytes(4)},
    ],
    ids=str,
)
def test_encoder_is_the_one_that_was_pinned(change: dict[str, Any]) -> None:
    gate = new_gate()
    with pytest.raises(Rejected, match=r"field: embedding\.encoder_id"):
        gate.check(replace(omega(), embedding=replace(omega().embedding, **change)))
    assert gate.check(omega(2)).embedding == omega().embedding
    assert gate.gate.rejected == {Reason.FIELD: 1}


@pytest.mark.parametrize("far", [150.5, -151.0])
def test_bodies_stay_near_the_picture(far: float) -> None:
    gate = new_gate()
    pose = omega().poses[0]
    keypoints = pose.keypoints.copy()
    keypoints[9, 0] = far
    box = (min(far, 0.0), 0.0, max(far, 1.0), 1.0)
    for wrong in (replace(pose, keypoints=keypoints), replace(pose, box=box)):
        with pytest.raises(Rejected, match="field: pose: subject 1 reaches beyond 150 px"):
            gate.check(replace(omega(), poses=[wrong]))
    keypoints[9, 2] = 0.1  # not seen: it leaves as zeros
    assert not gate.check(replace(omega(), poses=[replace(pose, keypoints=keypoints)])).poses[0].keypoints[9].any()


def with_rates(frame: int, detector_hz: float, pose_hz: float) -> Omega:
    report = replace(omega().privacy, detector_hz=detector_hz, pose_hz=pose_hz)
    return replace(omega(frame), privacy=report)


def test_rates_leave_as_those_of_the_first_omega_of_their_second() -> None:
    gate = new_gate()

    def offer(frame: int, detector_hz: float, pose_hz: float) -> tuple[float, float]:
        report = gate.check(with_rates(frame, detector_hz, pose_hz)).privacy
        return report.detector_hz, report.pose_hz

    assert [offer(1, 4.0, 6.0), offer(2, 10.0, 6.0), offer(3, 4.0, 0.5)] == [(4.0, 6.0)] * 3
    gate.clock.advance(0.9)
    assert offer(4, 1.0, 0.0) == (4.0, 6.0)
    gate.clock.advance(0.1)
    assert [offer(5, 2.0, 1.0), offer(6, 1.0, 0.0)] == [(2.0, 1.0)] * 2


def test_unseen_people_leave_as_those_of_the_first_omega_of_their_second() -> None:
    gate = new_gate()

    def offer(frame: int, people: int) -> int:
        report = replace(omega().privacy, unseen_people=people)
        return gate.check(replace(omega(frame), privacy=report)).privacy.unseen_people

    assert [offer(1, 2), offer(2, 15), offer(3, 0)] == [2, 2, 2]
    gate.clock.advance(1.0)
    assert [offer(4, 0), offer(5, 3)] == [0, 0]


def test_omega_that_is_refused_decides_no_rates() -> None:
    gate = new_gate()
    seals = gate.seal(with_rates(1, 4.0, 6.0))
    with pytest.raises(Rejected):
        gate.gate.check(with_rates(1, 60.0, 60.0), seals)
    assert gate.check(with_rates(2, 2.0, 1.0)).privacy.detector_hz == 2.0


def test_rate_between_the_steps_is_refused_in_bytes() -> None:
    payload = bytearray(cdr.encode(with_rates(1, 4.0, 6.0)))
    assert payload[-9:-1] == np.array([4.0, 6.0], "<f4").tobytes()
    payload[-5:-1] = np.array([5.0], "<f4").tobytes()
    with pytest.raises(Rejected, match=r"privacy\.pose_hz: 5\.0 is none of the steps"):
        new_gate().gate.check(bytes(payload), None)


def test_subject_numbers_are_consecutive_but_for_a_few_and_grow_with_time() -> None:
    gate = new_gate()

    def offer(frame: int, subject: int) -> int:
        return (
            gate.check(replace(omega(frame), poses=[replace(omega().poses[0], subject_id=subject)])).poses[0].subject_id
        )

    assert [offer(1, 7), offer(2, 7 + SUBJECTS_BURST), offer(3, 1)] == [7, 7 + SUBJECTS_BURST, 1]
    for frame, subject in ((4, 8 + SUBJECTS_BURST), (5, 2**31), (6, 4_000_000_000)):
        with pytest.raises(Rejected, match=r"field: pose\.subject_id"):
            offer(frame, subject)
    gate.clock.advance(1.0 / SUBJECTS_PER_S)
    assert offer(7, 8 + SUBJECTS_BURST) == 8 + SUBJECTS_BURST


def test_pictures_of_changing_sizes_do_not_fill_the_memory() -> None:
    gate = new_gate()
    for frame in range(1, 40):
        key = SyncKey("room1", frame, NOW_NS + frame * 10**6)
        plate = np.full((frame, 2 * frame, 3), frame, np.uint8)
        png = encode_environment(plate, np.ones(plate.shape[:2], bool))
        gate.check(replace(omega(frame), environment=environment_of(key, png, 1)))
    assert len(gate.gate._pictures) == 4
