"""When a fall is reported, how often, what is measured of it, and when it is over."""

from collections.abc import Mapping

import numpy as np
import pytest

from privcam_core.types.skeleton import KEYPOINT_COUNT
from privcam_recognition.rules.loitering import MIN_STAY_S, LoiteringDetector
from privcam_recognition.temporal.descent import BEGIN, SMOOTHING_S, UPRIGHT_S, FallWatch, measure_descent
from privcam_recognition.temporal.windows import Track

HEIGHT = 100.0
LABELS = ("standing", "walking", "sitting", "bending", "lying", "fall")


def probabilities(fall: float, standing: float = 0.0, lying: float = 0.0) -> Mapping[str, float]:
    said = {"fall": fall, "standing": standing, "lying": lying}
    return {label: said.get(label, 0.0) for label in LABELS}


def falling(
    rate: float = 10.0,
    start: float = 1.0,
    seconds: float = 0.6,
    until: float = 4.0,
    drop: float = 0.8,
    rho: float = 0.7,
    stood: float = 1.0,
) -> Track:
    """The upper edge of a box that was `stood` H high comes down by `drop` H within so many seconds."""
    times = np.arange(0.0, until, 1.0 / rate)
    down = np.clip((times - start) / seconds, 0.0, 1.0)
    tops = drop * HEIGHT * down
    boxes = np.stack((np.zeros_like(tops), tops, np.full_like(tops, 50.0), np.full_like(tops, stood * HEIGHT)), axis=1)
    return Track(times, boxes.astype(np.float32), np.full((len(times), KEYPOINT_COUNT, 3), rho, np.float32))


def up_again(track: Track) -> Track:
    """Return the track with the newest box as high as the first one."""
    boxes = track.boxes.copy()
    boxes[-1] = boxes[0]
    return Track(track.times, boxes, track.keypoints)


@pytest.mark.parametrize("rate", [5.0, 10.0, 30.0])
def test_descent_is_measured_on_the_box(rate: float) -> None:
    fall = measure_descent(falling(rate), HEIGHT, 2.4)
    assert fall.drop == pytest.approx(0.8, abs=0.05)
    assert fall.started == pytest.approx(1.0, abs=0.25)
    assert fall.landed == pytest.approx(1.6, abs=0.25)
    assert 0.8 < fall.speed < 3.0


def test_who_slides_off_a_chair_comes_down_by_half_of_what_was_above_the_floor() -> None:
    """Though it is less than is asked of who stood."""
    watch, track = FallWatch(), falling(drop=0.33, stood=0.62)
    assert any(told(watch, 1.8 + k / 10, probabilities(0.9), track) for k in range(3))


def told(watch: FallWatch, seconds: float, said: Mapping[str, float], track: Track) -> bool:
    """Say whether a fall holds after this look."""
    watch.update(seconds, said, track, HEIGHT)
    return watch.fall is not None


def test_one_output_is_no_fall_and_a_lasting_probability_is() -> None:
    watch, track = FallWatch(), falling()
    assert not told(watch, 1.6, probabilities(0.99), track)
    assert not told(watch, 1.7, probabilities(0.0, 0.9), track)
    results = [told(watch, 2.5 + k / 10, probabilities(0.9), track) for k in range(6)]
    assert results[-1] and not results[0]


@pytest.mark.parametrize(
    "track",
    [
        pytest.param(falling(drop=0.33), id="sits down"),
        pytest.param(falling(drop=0.28, stood=0.5), id="who is half hidden nods"),
        pytest.param(falling(seconds=4.0, until=6.0), id="lies down with care"),
        pytest.param(falling(rho=0.1), id="a chair that was taken for somebody"),
    ],
)
def test_what_is_measured_has_to_be_a_fall_whatever_the_network_says(track: Track) -> None:
    watch = FallWatch()
    assert not any(told(watch, 1.6 + k / 10, probabilities(0.95), track) for k in range(20))


@pytest.mark.parametrize(
    ("track", "before", "fallen"),
    [
        pytest.param(falling(), 0.9, True, id="far and fast"),
        pytest.param(falling(seconds=2.0), 0.9, False, id="not faster than with care"),
        pytest.param(falling(drop=0.5), 0.9, False, id="not farther than onto a bed"),
        pytest.param(falling(), 0.1, False, id="lay there before, and the box had jumped"),
    ],
)
def test_who_was_up_and_came_down_far_and_fast_and_lies_has_fallen(track: Track, before: float, fallen: bool) -> None:
    """Though the network calls it lying rather than a fall."""
    watch = FallWatch()
    for k in range(10):
        watch.update(k / 10, probabilities(0.0, before, 1 - before), track, HEIGHT)
    assert any(told(watch, 3.0 + k / 10, probabilities(0.1, 0.0, 0.8), track) for k in range(5)) is fallen


@pytest.mark.parametrize("rate", [5.0, 7.5, 10.0, 30.0])
def test_fall_is_told_at_every_frame_rate(rate: float) -> None:
    watch, track = FallWatch(), falling(rate)
    assert any(told(watch, 1.8 + k / min(rate, 10.0), probabilities(0.9), track) for k in range(3))


def test_who_walks_behind_somebody_has_not_fallen_until_seen_again() -> None:
    watch, track = FallWatch(), falling()
    for k in range(10):
        watch.update(1.8 + k / 10, probabilities(0.9), track, HEIGHT, hidden=True)
    assert watch.fall is None
    watch.update(2.8, probabilities(0.9), track, HEIGHT)
    assert watch.fall is not None


@pytest.mark.parametrize(("until", "fallen"), [(1.6, False), (3.0, True)])
def test_who_comes_down_at_an_edge_and_is_gone_has_left_and_who_stays_has_fallen(until: float, fallen: bool) -> None:
    watch, track = FallWatch(), falling(until=until)
    for k in range(30):
        watch.update(1.0 + k / 10, probabilities(0.9), track, HEIGHT, at_edge=True)
    assert (watch.fall is not None) is fallen


def test_opinion_below_the_limit_is_no_fall() -> None:
    watch, track = FallWatch(), falling()
    assert not any(told(watch, 1.6 + k / 10, probabilities(BEGIN - 0.05), track) for k in range(20))


def test_fall_holds_while_the_network_turns_to_lying_and_ends_when_somebody_is_up() -> None:
    watch, track = FallWatch(), falling()
    for k in range(6):
        told(watch, 1.8 + k / 10, probabilities(0.9), track)
    first = watch.fall
    assert first is not None
    assert all(told(watch, 2.5 + k / 10, probabilities(0.1), track) for k in range(30))
    assert watch.fall == first, "what was measured of it stays"
    assert all(told(watch, 6.0 + k / 10, probabilities(0.0, 0.9), track) for k in range(12)), "nobody came up"
    assert told(watch, 7.5, probabilities(0.1), track)
    up = [told(watch, 8.0 + k / 10, probabilities(0.0, 0.9), up_again(track)) for k in range(12)]
    assert up[0] and not up[-1]
    assert sum(up) == pytest.approx(UPRIGHT_S * 10, abs=2)


def test_fall_that_is_over_is_not_reported_again_while_its_window_lasts() -> None:
    watch, track = FallWatch(), falling()
    for k in range(6):
        told(watch, 1.8 + k / 10, probabilities(0.9), track)
    for k in range(12):
        told(watch, 2.4 + k / 10, probabilities(0.0, 0.9), up_again(track))
    assert watch.fall is None
    assert not any(told(watch, 3.6 + k / 10, probabilities(0.9), track) for k in range(3))


def test_old_opinions_are_forgotten() -> None:
    watch, track = FallWatch(), falling()
    told(watch, 1.0, probabilities(0.95), track)
    assert not told(watch, 1.0 + 2 * SMOOTHING_S, probabilities(0.95), track)


def test_who_stays_on_foot_in_one_place_for_long_loiters() -> None:
    detector = LoiteringDetector()
    events = [detector.update((1,), second, (10.0, 20.0), HEIGHT, "standing") for second in range(200)]
    assert not any(events[: int(MIN_STAY_S)])
    (event,) = events[-1]
    assert (event.label, event.started) == ("loitering", 0)
    assert 0.5 < events[int(MIN_STAY_S) + 1][0].confidence < event.confidence < 1.0


@pytest.mark.parametrize("label", ["sitting", "lying"])
def test_who_sits_or_lies_does_not_loiter(label: str) -> None:
    detector = LoiteringDetector()
    assert not any(detector.update((1,), second, (10.0, 20.0), HEIGHT, label) for second in range(200))


def test_who_walks_on_does_not_loiter() -> None:
    detector = LoiteringDetector()
    assert not any(detector.update((1,), s, (10.0 * s, 20.0), HEIGHT, "walking") for s in range(200))
