"""The temporal model knows which subject went out of sight behind another one."""

import numpy as np
import pytest
from stick_figure import STANDING, draw, omega

from privcam_recognition.temporal.temporal_model import TemporalModel
from privcam_recognition.temporal.visibility import is_at_edge, is_behind_another


@pytest.mark.parametrize(
    ("other_x", "rho", "hidden"),
    [
        pytest.param(310.0, 0.8, True, id="behind another"),
        pytest.param(500.0, 0.8, False, id="far from another"),
        pytest.param(310.0, 0.1, False, id="behind a chair that is taken for a person"),
    ],
)
def test_subject_that_is_lost_behind_another_is_hidden(other_x: float, rho: float, hidden: bool) -> None:
    model = TemporalModel()
    subject, other = draw(STANDING), draw(STANDING, other_x - STANDING.x)
    other[:, 2] = rho
    for number in range(1, 20):
        displayed = {1: subject, 2: other} if number < 10 else {2: other}
        model.update(omega(number, number / 10, {key: np.array(points) for key, points in displayed.items()}))
    lost = next(found for found in model._scene.subjects if found.ids == [1])
    assert is_behind_another(lost, model._scene.subjects) is hidden


def test_a_second_track_of_the_same_body_hides_nobody() -> None:
    model = TemporalModel()
    subject, duplicate = draw(STANDING), draw(STANDING, 10.0)
    for number in range(1, 30):
        displayed = {1: subject, 2: duplicate} if number < 20 else {2: duplicate} if number < 25 else {}
        model.update(omega(number, number / 10, {key: np.array(points) for key, points in displayed.items()}))
    assert [subject.ids for subject in model._scene.subjects if is_behind_another(subject, model._scene.subjects)] == []


@pytest.mark.parametrize(
    ("dx", "dy", "sight", "lost"),
    [(0, 0, False, False), (-290, 0, False, True), (330, 0, False, True), (0, 70, True, True)],
)
def test_subject_at_an_edge_of_the_picture_may_leave(dx: float, dy: float, sight: bool, lost: bool) -> None:
    """At a side only a lost subject may have left: one in sight may as well stand at a wall."""
    model, points = TemporalModel(), draw(STANDING, dx)
    points[:, 1] += dy
    displayed = omega(1, 0.1, {1: points})
    model.update(displayed)
    (subject,) = model._scene.subjects
    assert is_at_edge(subject, displayed.environment, lost=False) is sight
    assert is_at_edge(subject, displayed.environment, lost=True) is lost
