"""The last look at a generated picture, with the real detectors."""

import numpy as np
import pytest
from generative_scenes import draw_face, scene, standing

from privcam_cloud.reconstruction.generative.pose_conditioning import (
    PoseCondition,
    cover_heads,
    make_pose_conditions,
    paintable,
)
from privcam_cloud.reconstruction.generative.safety_check import SafetyCheck
from privcam_cloud.reconstruction.reconstruction_input import ReconstructionInput


@pytest.fixture(scope="module")
def check() -> SafetyCheck:
    return SafetyCheck()


def painted(now: ReconstructionInput) -> tuple[np.ndarray, np.ndarray, list[PoseCondition]]:
    """Return a picture with people in plain colours, where they were painted, and who they are."""
    conditions = make_pose_conditions(now.poses, now.events, *now.confirmed_mask.shape)
    assert conditions
    where, picture = paintable(conditions, now.confirmed_mask), now.environment.copy()
    for condition in conditions:
        picture[condition.body] = (110, 90, 70)
    cover_heads(picture, conditions)
    return np.where(where[..., None], picture, now.environment), where, conditions


def fault(
    check: SafetyCheck,
    now: ReconstructionInput,
    picture: np.ndarray,
    where: np.ndarray,
    conditions: list[PoseCondition],
) -> str:
    return check.find_fault(picture, now.environment, now.confirmed_mask, where, conditions)


@pytest.mark.parametrize("known", [320, 130, 0])
def test_painted_subjects_with_plain_heads_pass(check: SafetyCheck, known: int) -> None:
    now = scene(standing(1, 90), standing(2, 220, layer=1), known=known)
    assert fault(check, now, *painted(now)) == ""


def test_one_changed_pixel_of_the_room_is_refused(check: SafetyCheck) -> None:
    now = scene(standing())
    picture, where, conditions = painted(now)
    picture[5, 5, 0] += 1
    assert "changes the room" in fault(check, now, picture, where, conditions)


def test_face_is_refused_wherever_it_is_painted(check: SafetyCheck) -> None:
    now = scene(standing())
    picture, where, conditions = painted(now)
    face = picture.copy()
    draw_face(face, 120, 112, 30)  # on the chest
    picture[where] = face[where]
    assert "it shows a face" in fault(check, now, picture, where, conditions)


def test_face_beside_a_plain_head_is_refused(
    check: SafetyCheck,
) -> None:
    now = scene(standing())
    picture, where, conditions = painted(now)
    face = now.environment.copy()
    draw_face(face, 190, 60, 40)
    beside = (face != now.environment).any(axis=2)
    picture[beside] = face[beside]
    assert "it shows a face" in fault(check, now, picture, where | beside, conditions)


def test_person_where_no_subject_is_is_refused(check: SafetyCheck) -> None:
    both = scene(standing(1, 90), standing(2, 240, layer=1))
    picture, where, conditions = painted(both)
    alone = [condition for condition in conditions if condition.pose.subject_id == 1]
    assert "a person where no subject is" in fault(check, both, picture, where, alone)


def test_picture_of_another_size_is_refused(check: SafetyCheck) -> None:
    now = scene(standing())
    picture, where, conditions = painted(now)
    assert "shape" in fault(check, now, picture[1:], where, conditions)
