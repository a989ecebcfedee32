"""What stays and what goes when Ω is written the one way."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from privcam_core.types.omega import (
    NO_ACCOUNTING,
    Embedding,
    Environment,
    HeadOrientation,
    InvalidOmega,
    Omega,
    PrivacyReport,
    SubjectPose,
    SyncKey,
    Verdict,
)
from privcam_core.types.skeleton import KEYPOINT_COUNT, SEEN
from privcam_link import cdr
from privcam_link.canonical_form import canonicalize

KEY = SyncKey("room1", 9, 10**18)


def pose(points: object = 0.5, *, subject: int = 1, layer: int = 0, head: HeadOrientation | None = None) -> SubjectPose:
    keypoints = np.full((KEYPOINT_COUNT, 3), points, np.float32)
    return SubjectPose(subject, (1.0, 2.0, 3.0, 4.0), keypoints, head, layer)


def omega(*poses: SubjectPose, **report: float) -> Omega:
    environment = Environment(KEY, b"", bytes(32), 24, 32, 0.5, 1)
    areas = {"excluded_fraction": 0.0, "withheld_fraction": 0.0, "quarantined_fraction": 0.0} | report
    z = Embedding("hog-1", (3,), 0.5, b"\x01\x02\x03", 0.25, 1.0)
    return Omega(KEY, environment, poses, z, PrivacyReport(verdict=Verdict.PASS, **areas))  # type: ignore[arg-type]


finite = st.floats(-700, 700, width=32)
fraction = st.floats(0, 1, width=32)
points = st.lists(st.tuples(finite, finite, fraction), min_size=KEYPOINT_COUNT, max_size=KEYPOINT_COUNT)


@given(points, fraction, fraction, st.floats(-1, 2.0**50, width=32), st.floats(0, 0.9))
def test_doing_it_again_changes_nothing_also_after_a_journey(
    keypoints: list[tuple[float, ...]], person: float, quarantined: float, epsilon: float, delta: float
) -> None:
    made = canonicalize(
        omega(
            pose(keypoints, head=HeadOrientation(3.14, -1.57, 0.1)),
            excluded_fraction=person,
            quarantined_fraction=quarantined,
            epsilon=epsilon,
            delta=delta,
        )
    )
    travelled = cdr.decode(cdr.encode(made))
    assert cdr.encode(canonicalize(travelled)) == cdr.encode(made)


@given(points)
def test_keypoint_moves_by_half_a_pixel_at_most_and_stays_seen_or_unseen(keypoints: list[tuple[float, ...]]) -> None:
    before = np.array(keypoints, np.float32)
    after = canonicalize(omega(pose(keypoints))).poses[0].keypoints
    seen = before[:, 2] >= SEEN
    assert (np.abs(after - before)[seen] <= (0.5, 0.5, 0.0251)).all()
    assert (after[seen, 2] >= SEEN).all()
    assert not after[~seen].any()


def test_values_of_the_anonymiser_stay_as_they_are() -> None:
    before = pose((12.0, 100.0, 0.35), head=HeadOrientation(0.5, 0.0, -0.25))
    after = canonicalize(omega(before)).poses[0]
    np.testing.assert_array_equal(after.keypoints, before.keypoints)
    assert (after.box, after.head) == (before.box, before.head)


def test_zero_has_one_sign() -> None:
    assert cdr.encode(canonicalize(omega(pose((-0.0, -1e-30, 1.0))))) == cdr.encode(omega(pose((0.0, 0.0, 1.0))))


def test_rates_stay_as_they_are_and_their_zero_has_one_sign() -> None:
    signed, plain = omega(detector_hz=4.0, pose_hz=-0.0), omega(detector_hz=4.0, pose_hz=0.0)
    assert cdr.encode(signed) != cdr.encode(plain)
    assert cdr.encode(canonicalize(signed)) == cdr.encode(plain)


def test_layers_are_numbered_from_0_in_their_order() -> None:
    poses = canonicalize(omega(pose(subject=7, layer=60), pose(subject=8, layer=3), pose(subject=9, layer=17))).poses
    assert [(one.subject_id, one.layer) for one in poses] == [(8, 0), (9, 1), (7, 2)]


def test_picture_has_the_key_of_its_frame() -> None:
    hidden = replace(omega(), environment=replace(omega().environment, key=SyncKey("room1", 1, 12345)))
    assert canonicalize(hidden).environment.key == KEY


@pytest.mark.parametrize("epsilon", [-1.0, -0.25, -1e30])
def test_without_accounting_the_budget_says_nothing(epsilon: float) -> None:
    report = canonicalize(omega(epsilon=epsilon, delta=0.123456789)).privacy
    assert (report.epsilon, report.delta) == (NO_ACCOUNTING, 0.0)


@pytest.mark.parametrize(
    ("spent", "stated"),
    [(0.0, 0.0), (12.5, 12.5), (12.51, 12.6), (1e8, 1e8), (123456.7, 124000.0), (1e-30, 1e-12), (1e20, 1e12)],
)
def test_budget_is_never_stated_smaller_than_it_was(spent: float, stated: float) -> None:
    report = canonicalize(omega(epsilon=spent, delta=1e-5)).privacy
    assert (report.epsilon, report.delta) == (stated, 1e-5)


def test_box_of_which_nothing_is_left_is_refused() -> None:
    flat = replace(pose(), box=(1.0, 2.0, 1.4, 4.0))
    with pytest.raises(InvalidOmega, match=r"pose\.box"):
        canonicalize(omega(flat))


@pytest.mark.parametrize("shape", [(65536,) * 4, (2**31, 2, 2**31, 2), (2**32 - 1,) * 4])
def test_shape_whose_product_overflows_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(InvalidOmega, match=r"embedding\.shape"):
        Embedding("hog-1", shape, 0.5, b"", 0.25, 1.0)
