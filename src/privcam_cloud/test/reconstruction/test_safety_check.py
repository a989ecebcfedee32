"""The last look at a generated picture, with the real detectors."""

import numpy as np
import pytest
from generative_scenes import draw_face, scene, standing

from privcam_cloud.reconstruction.generative.pose_conditioning import Figure, cover_heads, figures_of, paintable
from privcam_cloud.reconstruction.generative.safety_check import Review
from privcam_cloud.reconstruction.scene import Scene


@pytest.fixture(scope="module")
def review() -> Review:
    return Review()


def painted(now: Scene) -> tuple[np.ndarray, np.ndarray, list[Figure]]:
    """Return a picture with people in plain colours, where they were painted, and who they are."""
    figures = figures_of(now.poses, now.events, *now.validity.shape)
    assert figures
    where, picture = paintable(figures, now.validity), now.environment.copy()
    for figure in figures:
        picture[figure.body] = (110, 90, 70)
    cover_heads(picture, figures)
    return np.where(where[..., None], picture, now.environment), where, figures


def fault(review: Review, now: Scene, picture: np.ndarray, where: np.ndarray, figures: list[Figure]) -> str:
    return review(picture, now.environment, now.validity, where, figures)


@pytest.mark.parametrize("known", [320, 130, 0])
def test_painted_subjects_with_plain_heads_pass(review: Review, known: int) -> None:
    now = scene(standing(1, 90), standing(2, 220, layer=1), known=known)
    assert fault(review, now, *painted(now)) == ""


def test_one_changed_pixel_of_the_room_is_refused(review: Review) -> None:
    now = scene(standing())
    picture, where, figures = painted(now)
    picture[5, 5, 0] += 1
    assert "changes the room" in fault(review, now, picture, where, figures)


def test_face_is_refused_wherever_it_is_painted(review: Review) -> None:
    now = scene(standing())
    picture, where, figures = painted(now)
    face = picture.copy()
    draw_face(face, 120, 112, 30)  # on the chest
    picture[where] = face[where]
    assert "it shows a face" in fault(review, now, picture, where, figures)


def test_face_beside_a_plain_head_is_refused(
    review: Review,
) -> None:
    now = scene(standing())
    picture, where, figures = painted(now)
    face = now.environment.copy()
    draw_face(face, 190, 60, 40)
    beside = (face != now.environment).any(axis=2)
    picture[beside] = face[beside]
    assert "it shows a face" in fault(review, now, picture, where | beside, figures)


def test_person_where_no_subject_is_is_refused(review: Review) -> None:
    both = scene(standing(1, 90), standing(2, 240, layer=1))
    picture, where, figures = painted(both)
    alone = [figure for figure in figures if figure.pose.subject_id == 1]
    assert "a person where no subject is" in fault(review, both, picture, where, alone)


def test_picture_of_another_size_is_refused(review: Review) -> None:
    now = scene(standing())
    picture, where, figures = painted(now)
    assert "shape" in fault(review, now, picture[1:], where, figures)
