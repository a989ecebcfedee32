"""That the temporal model knows who went out of sight behind somebody."""

import numpy as np
import pytest
from stick_figure import STANDING, draw, omega

from privcam_cloud.recognition.temporal.temporal_model import TemporalModel, _at_edge


@pytest.mark.parametrize(
    ("other_x", "rho", "hidden"),
    [
        pytest.param(310.0, 0.8, True, id="behind somebody"),
        pytest.param(500.0, 0.8, False, id="far from somebody"),
        pytest.param(310.0, 0.1, False, id="behind a chair that is taken for somebody"),
    ],
)
def test_who_is_lost_behind_somebody_is_hidden(other_x: float, rho: float, hidden: bool) -> None:
    model = TemporalModel()
    person, other = draw(STANDING), draw(STANDING, other_x - STANDING.x)
    other[:, 2] = rho
    for number in range(1, 20):
        shown = {1: person, 2: other} if number < 10 else {2: other}
        model.update(omega(number, number / 10, {key: np.array(points) for key, points in shown.items()}))
    lost = next(found for found in model._people if found.ids == [1])
    assert model._behind(lost) is hidden


def test_a_second_track_of_the_same_body_hides_nobody() -> None:
    model = TemporalModel()
    person, double = draw(STANDING), draw(STANDING, 10.0)
    for number in range(1, 30):
        shown = {1: person, 2: double} if number < 20 else {2: double} if number < 25 else {}
        model.update(omega(number, number / 10, {key: np.array(points) for key, points in shown.items()}))
    assert [person.ids for person in model._people if model._behind(person)] == []


@pytest.mark.parametrize(
    ("dx", "dy", "sight", "lost"),
    [(0, 0, False, False), (-290, 0, False, True), (330, 0, False, True), (0, 70, True, True)],
)
def test_who_is_at_an_edge_of_the_picture_may_leave(dx: float, dy: float, sight: bool, lost: bool) -> None:
    """At a side only who is lost there: who is in sight there stands at a wall as well."""
    model, points = TemporalModel(), draw(STANDING, dx)
    points[:, 1] += dy
    shown = omega(1, 0.1, {1: points})
    model.update(shown)
    (person,) = model._people
    assert _at_edge(person, shown.environment, lost=False) is sight
    assert _at_edge(person, shown.environment, lost=True) is lost
