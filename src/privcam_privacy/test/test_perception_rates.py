"""How often per second the networks saw somebody, for films in which that is known."""

from collections.abc import Iterable

import pytest

from privcam_core.types.omega import RATE_STEPS_HZ
from privcam_privacy.perception_rates import PerceptionRates, Rates, floor_to_step

START_NS = 1_700_000_000 * 10**9
FPS = 20


class Film:
    """20 frames per second; every so many frames something happens."""

    def __init__(self) -> None:
        self.rates = PerceptionRates()
        self.frame = 0

    def run(self, seconds: float, *, detector_every: int, pose_every: dict[int, int] | None = None) -> list[Rates]:
        """Return the rates of each frame. pose_every: of each subject in view, 0: never."""
        return [self._step(detector_every, pose_every or {}) for _ in range(round(seconds * FPS))]

    def _step(self, detector_every: int, pose_every: dict[int, int]) -> Rates:
        at, self.frame = self.frame, self.frame + 1
        estimated = [subject for subject, every in pose_every.items() if every and at % every == 0]
        return self.rates.update(
            START_NS + at * 10**9 // FPS,
            fresh=at % detector_every == 0,
            subjects=pose_every.keys(),
            estimated=estimated,
        )


def changes(rates: Iterable[Rates]) -> list[Rates]:
    """Return the rates without those that are the same as the ones before."""
    found: list[Rates] = []
    for one in rates:
        if not found or one != found[-1]:
            found.append(one)
    return found


def test_detector_that_looks_four_times_a_second_is_reported_so_after_the_first_two_seconds() -> None:
    film = Film()
    assert changes(film.run(2.0, detector_every=5)) == [Rates(0.0, 0.0)]
    assert changes(film.run(5.0, detector_every=5)) == [Rates(4.0, 0.0)]


@pytest.mark.parametrize(("every", "stated"), [(1, 15.0), (2, 10.0), (4, 4.0), (10, 2.0), (20, 1.0), (40, 0.5)])
def test_rate_is_rounded_down_to_a_step(every: int, stated: float) -> None:
    rates = Film().run(5.0, detector_every=every, pose_every={1: every})
    assert rates[-1] == (stated, stated)


def test_pose_rate_is_that_of_the_subject_with_the_fewest_estimates() -> None:
    assert Film().run(5.0, detector_every=5, pose_every={1: 1, 2: 5, 3: 2})[-1].pose_hz == 4.0


@pytest.mark.parametrize("every", [0, 80])
def test_somebody_whose_pose_is_almost_never_estimated_is_not_taken_for_nobody(every: int) -> None:
    assert Film().run(5.0, detector_every=5, pose_every={1: 1, 2: every})[-1].pose_hz == 0.5


def test_newcomer_counts_from_two_seconds_on_and_nobody_after_they_left() -> None:
    film = Film()
    film.run(5.0, detector_every=5, pose_every={1: 1})
    assert {one.pose_hz for one in film.run(2.0, detector_every=5, pose_every={1: 1, 2: 10})} == {15.0}
    assert film.run(1.0, detector_every=5, pose_every={1: 1, 2: 10})[-1].pose_hz == 2.0
    assert film.run(1.0, detector_every=5)[-1].pose_hz == 0.0
    film.run(1.0, detector_every=5, pose_every={1: 1})
    assert film.run(0.5, detector_every=5, pose_every={1: 1})[-1].pose_hz == 0.0


def test_rates_change_with_the_first_frame_of_a_second_alone() -> None:
    film = Film()
    rates = film.run(4.0, detector_every=1, pose_every={1: 1}) + film.run(4.0, detector_every=7, pose_every={1: 3})
    changed = [at for at in range(1, len(rates)) if rates[at] != rates[at - 1]]
    assert len(changed) >= 3
    assert {at % FPS for at in changed} == {0}


def test_pause_of_the_camera_counts_as_time() -> None:
    film = Film()
    film.run(5.0, detector_every=1, pose_every={1: 1})
    film.frame += 10 * FPS
    assert film.run(0.05, detector_every=1, pose_every={1: 1}) == [Rates(0.5, 0.5)]


@pytest.mark.parametrize(
    ("rate", "step"), [(0.0, 0.0), (0.49, 0.0), (0.5, 0.5), (3.99, 3.0), (59.0, 30.0), (1e9, 60.0)]
)
def test_step_is_never_above_the_rate(rate: float, step: float) -> None:
    assert floor_to_step(rate) == step
    assert floor_to_step(rate) in RATE_STEPS_HZ
