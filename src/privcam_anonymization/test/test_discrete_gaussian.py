"""The noise of poses: Gaussian, on a grid that does not depend on the pose, from the operating system's generator."""

from collections import Counter
from math import exp

import numpy as np
import pytest

from privcam_anonymization import anonymizer
from privcam_anonymization.discrete_gaussian import SIGMA_STEPS, draw_steps
from privcam_anonymization.features import MAX_FEATURES, MIN_FEATURES, TOWARDS
from privcam_anonymization.noise import Noise
from privcam_anonymization.random_source import SYSTEM, seeded


def test_draws_have_the_moments_of_a_gaussian() -> None:
    draws = draw_steps(400_000, seeded(1)) / SIGMA_STEPS
    moments = [np.mean(draws**power) for power in (1, 2, 3, 4)]
    np.testing.assert_allclose(moments, [0, 1, 0, 3], atol=0.03)


def test_frequency_of_each_step_is_that_of_a_discrete_gaussian() -> None:
    # One draw for each of 2^16 even parts of the unit interval, in place of chance.
    even = (np.arange(2**16, dtype=np.uint64) << np.uint64(48)) + np.uint64(2**47)
    draws = draw_steps(even.size, lambda count: even.tobytes()[:count])
    assert (np.diff(draws) >= 0).all()
    weights = {step: exp(-0.5 * (step / SIGMA_STEPS) ** 2) for step in range(-9 * SIGMA_STEPS, 9 * SIGMA_STEPS + 1)}
    total = sum(weights.values())
    found = Counter(draws.tolist())
    for step in (0, 1, -1, SIGMA_STEPS, -SIGMA_STEPS, 2 * SIGMA_STEPS):
        assert abs(found[step] - weights[step] / total * even.size) <= 1


@pytest.mark.parametrize(("draw", "end"), [(0, -9), (2**64 - 1, 9)])
def test_extreme_draws_give_the_ends_of_the_reach(draw: int, end: int) -> None:
    (step,) = draw_steps(1, lambda count: draw.to_bytes(count, "little"))
    assert step / SIGMA_STEPS == pytest.approx(end, abs=0.05)


def test_every_released_number_lies_on_a_grid_that_no_pose_moves() -> None:
    noise, random = Noise(), np.random.default_rng(3)
    ends = np.append(MAX_FEATURES - MIN_FEATURES, np.full(TOWARDS.stop - TOWARDS.start, 2.0))
    starts = np.append(MIN_FEATURES, np.full(TOWARDS.stop - TOWARDS.start, -1.0))
    steps = noise.sigmas() / SIGMA_STEPS
    for number in range(200):
        noised = noise.add_noise(starts + random.random(ends.size) * ends, seeded(number))
        np.testing.assert_array_equal(noised, np.rint(noised / steps) * steps)


def test_the_same_release_can_come_from_every_neighbouring_pose() -> None:
    # In floating point, some sums of value and noise cannot come from some values (Mironov 2012).
    noise = Noise()
    value = np.zeros(TOWARDS.stop)
    near = value + 1e-13
    reached = [{tuple(noise.add_noise(of, seeded(number)).tolist()) for number in range(50)} for of in (value, near)]
    assert reached[0] == reached[1]


def test_without_a_source_of_its_own_the_noise_comes_from_the_operating_system() -> None:
    assert anonymizer.PoseAnonymizer()._random_bytes is SYSTEM
    assert SYSTEM(16) != SYSTEM(16)
