"""The Kalman filter is independent of the frame rate, and its gate and covariances are sound."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from privcam_perception.tracking import kalman

PERSON = np.array([[300.0, 200.0, 0.4, 150.0]])


def moved(by: float) -> np.ndarray:
    return PERSON + np.array([by, 0, 0, 0])


def test_boxes_and_measurements_are_the_same_thing_in_two_forms() -> None:
    boxes = np.array([[10.0, 20.0, 50.0, 140.0], [-5.0, 3.0, 20.0, 90.0]])
    assert np.allclose(kalman.to_boxes(kalman.to_measurements(boxes)), boxes)
    assert np.allclose(kalman.to_measurements(boxes)[0], [30, 80, 40 / 120, 120])


@given(st.lists(st.floats(0.005, 0.5), min_size=2, max_size=6))
@settings(max_examples=50, deadline=None)
def test_many_short_steps_predict_what_one_long_step_predicts(steps: list[float]) -> None:
    start = kalman.initiate(PERSON)
    start[0][:, 4:6] = 80.0, -20.0
    once = kalman.predict(*start, sum(steps))
    many = start
    for dt in steps:
        many = kalman.predict(*many, dt)
    assert np.allclose(once[0], many[0])
    assert np.allclose(once[1], many[1])


@pytest.mark.parametrize("rate", [5, 12, 30])
def test_speed_is_learned_in_pixels_per_second_at_any_frame_rate(rate: int) -> None:
    means, covariances = kalman.initiate(PERSON)
    for step in range(1, 2 * rate + 1):
        means, covariances = kalman.predict(means, covariances, 1 / rate)
        means, covariances = kalman.update(means, covariances, moved(60 * step / rate))
    assert means[0, 4] == pytest.approx(60, rel=0.05)
    assert abs(means[0, 5]) < 1


def test_variance_grows_without_a_measurement_and_shrinks_with_one() -> None:
    start = kalman.initiate(PERSON)
    later = kalman.predict(*start, 0.5)
    seen = kalman.update(*later, PERSON)
    sizes = [np.linalg.det(covariance[0, :4, :4]) for _, covariance in (start, later, seen)]
    assert sizes[0] < sizes[1] > sizes[2]


def test_gate_lets_a_step_in_and_keeps_a_jump_out() -> None:
    means, covariances = kalman.predict(*kalman.initiate(PERSON), 1 / 30)
    candidates = np.vstack((moved(4), moved(200), PERSON * [[1, 1, 1, 2]]))
    distances = kalman.gating_distances(means, covariances, candidates)
    assert distances.shape == (1, 3)
    assert (distances <= kalman.GATE).tolist() == [[True, False, False]]


def test_covariances_stay_symmetric_and_positive_over_a_long_life() -> None:
    random = np.random.default_rng(1)
    means, covariances = kalman.initiate(PERSON)
    for _ in range(500):
        means, covariances = kalman.predict(means, covariances, random.uniform(0.02, 0.4))
        means, covariances = kalman.update(means, covariances, PERSON + random.normal(0, 3, (1, 4)) * [[1, 1, 0.01, 1]])
    assert np.array_equal(covariances[0], covariances[0].T)
    assert np.linalg.eigvalsh(covariances[0]).min() > 0
