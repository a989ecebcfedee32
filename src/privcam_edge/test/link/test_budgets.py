"""A room that changes now and then fits into the budgets, and so does a crowd; a film does not."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from harness.sealed_gate import SealedGate
from privcam_core.images.environment import decode_environment, encode_environment, environment_of
from privcam_core.types.omega import Embedding, Omega, PrivacyReport, SubjectPose, SyncKey, Verdict
from privcam_edge.link.budgets import MIB, Budgets
from privcam_edge.link.token_bucket import TokenBucket
from privcam_link.patches import encode_patch

START_NS = 1_700_000_000 * 10**9
ENCODER = Embedding("ib", (3,), 0.5, bytes(3), 0.25, 1.0)
HEIGHT, WIDTH = 48, 64
RATE_HZ = 10.0


def picture(plate: np.ndarray) -> bytes:
    return encode_environment(np.asarray(plate, np.uint8), np.ones(plate.shape[:2], np.bool_))


def noise(seed: int, shape: tuple[int, int] = (HEIGHT, WIDTH)) -> bytes:
    """A frame of a film: every pixel is another one than in the frame before."""
    return picture(np.random.default_rng(seed).integers(0, 256, (*shape, 3)))


class Stream:
    """A gate, and Ω at 10 per second. `shown` are the pictures that left, each once, with the time in s."""

    def __init__(self, budgets: Budgets | None = None) -> None:
        self.gate = SealedGate("room1", ENCODER, budgets=budgets)
        self.frame = 0
        self.shown: list[tuple[float, bytes]] = []

    def offer(self, png: bytes) -> Omega:
        """Offer the next Ω with this picture."""
        self.frame += 1
        self.gate.clock.advance(1 / RATE_HZ)
        key = SyncKey("room1", self.frame, START_NS + int(self.frame * 1e9 / RATE_HZ))
        pose = SubjectPose(1, (1.0, 2.0, 3.0, 4.0), np.full((17, 3), 0.5, np.float32))
        offered = Omega(key, environment_of(key, png, 1), [pose], ENCODER, PrivacyReport(0, 0, 0, Verdict.PASS))
        passed = self.gate.check(offered)
        if not self.shown or passed.environment.png != self.shown[-1][1]:
            self.shown.append((self.frame / RATE_HZ, passed.environment.png))
        return passed

    def film(self, seconds: float, first: int = 0) -> None:
        """Offer every frame of a film as the picture of its Ω."""
        for seed in range(int(seconds * RATE_HZ)):
            self.offer(noise(first + seed))


def test_film_does_not_fit_and_its_poses_still_leave() -> None:
    stream = Stream()
    stream.film(45.0)
    assert stream.gate.gate.passed == 450
    # A reserve of four whole pictures, and one more every 15 s.
    assert 4 <= len(stream.shown) <= 4 + 45 / 15
    assert stream.gate.gate.held == 450 - len(stream.shown)


def test_lamp_that_is_switched_every_two_minutes_is_always_shown_at_once() -> None:
    stream, rooms = Stream(), [picture(np.full((HEIGHT, WIDTH, 3), level)) for level in (90, 180)]
    for minute in range(30):
        for step in range(4):
            passed = stream.offer(rooms[minute % 2])
            assert passed.environment.png == rooms[minute % 2], (minute, step)
        stream.gate.clock.advance(120.0)
    assert stream.gate.gate.held == 0


def test_people_who_hide_parts_of_the_room_all_the_time_fit() -> None:
    stream = Stream()
    plate = np.full((HEIGHT, WIDTH, 3), 90)
    for second in range(200):  # each second a sixteenth of the room changes
        shifted = plate.copy()
        shifted[:, second % 30 * 2 : second % 30 * 2 + 2] = 128
        stream.offer(picture(shifted))
        stream.gate.clock.advance(0.9)
    assert stream.gate.gate.held == 0
    assert len(stream.shown) == 200


def test_held_picture_leaves_as_soon_as_there_is_room_for_it() -> None:
    stream = Stream(Budgets(areas_per_minute=2.0))
    stream.film(1.0)
    assert len(stream.shown) == 2
    wanted = noise(77)
    times = [stream.frame / RATE_HZ for _ in range(300) if stream.offer(wanted).environment.png == wanted]
    assert stream.shown[-1][1] == wanted
    assert times[0] == pytest.approx(30.0, abs=1.0)


def test_omega_with_a_held_picture_names_the_one_that_left_with_its_own_numbers() -> None:
    stream = Stream(Budgets(areas_per_minute=1.0))
    first = stream.offer(noise(1)).environment
    held = stream.offer(encode_environment(np.zeros((HEIGHT, WIDTH, 3), np.uint8), np.zeros((HEIGHT, WIDTH), np.bool_)))
    assert replace(held.environment, key=first.key) == first
    assert (held.privacy.withheld_fraction, held.key.frame_id, len(held.poses)) == (0.0, 2, 1)


def test_number_of_pictures_is_limited_however_small_their_changes_are() -> None:
    stream = Stream(Budgets(pictures_per_minute=30.0))
    for step in range(600):
        plate = np.full((HEIGHT, WIDTH, 3), 90)
        plate[0, 0] = step % 250
        stream.offer(picture(plate))
    assert 30 + 28 <= len(stream.shown) <= 30 + 31


@pytest.mark.parametrize("small", [True, False])
def test_going_back_and_forth_between_known_pictures_counts_too(small: bool) -> None:
    stream = Stream(Budgets(pictures_per_minute=10.0) if small else Budgets(areas_per_minute=5.0))
    for step in range(300):
        stream.offer(noise(step % 2))
    assert len(stream.shown) <= 10 + 6


def test_bytes_per_hour_are_limited() -> None:
    shape, hours = (96, 128), 1.0
    budgets = Budgets(pictures_per_minute=600.0, areas_per_minute=600.0, picture_mib_per_hour=0.75)
    stream, minutes = Stream(budgets), int(60 * hours)
    for minute in range(minutes):
        stream.offer(noise(minute, shape))
        stream.gate.clock.advance(60.0)
    pictures = [decode_environment(png) for _, png in stream.shown]
    sent = sum(len(encode_patch(new, base)) for base, new in pairwise(pictures))
    assert 0.75 * MIB < sent <= 0.75 * MIB * (1 + hours)
    assert len(stream.shown) < minutes


def test_picture_of_another_size_counts_as_a_whole_one() -> None:
    stream = Stream(Budgets(areas_per_minute=3.0))
    for side in range(20, 30):
        stream.offer(picture(np.full((side, side, 3), 7)))
    assert len(stream.shown) == 3


def test_first_picture_always_leaves() -> None:
    tiny = Budgets(pictures_per_minute=0.01, areas_per_minute=0.01, picture_mib_per_hour=0.0001)
    stream = Stream(tiny)
    assert stream.offer(noise(1)).environment.png == noise(1)
    stream.film(30.0, first=2)
    assert len(stream.shown) == 1


@pytest.mark.parametrize("wrong", [0.0, -1.0, float("nan"), float("inf")])
def test_budget_that_is_no_positive_number_is_refused(wrong: float) -> None:
    with pytest.raises(ValueError, match="capacity"):
        TokenBucket(wrong, 1.0, lambda: 0.0)
    with pytest.raises(ValueError, match="per_s"):
        TokenBucket(1.0, wrong, lambda: 0.0)
    with pytest.raises(ValueError, match="positive number"):
        SealedGate("room1", ENCODER, budgets=Budgets(areas_per_minute=wrong))


def test_reserve_never_exceeds_its_capacity_and_a_clock_that_stands_refills_nothing() -> None:
    now = [0.0]
    bucket = TokenBucket(2.0, 1.0, lambda: now[0])
    now[0] = 1e9
    assert bucket.has(2.0)
    bucket.take(2.0)
    assert not bucket.has(0.5)
    now[0] += 0.5
    assert bucket.has(0.5)
    assert not bucket.has(0.6)


class Crowd(Stream):
    """Ω with poses that a test chooses, over a picture that stays."""

    def show(self, *poses: SubjectPose) -> list[SubjectPose]:
        """Offer the next Ω with these poses; return those that leave."""
        self.frame += 1
        self.gate.clock.advance(1 / RATE_HZ)
        key = SyncKey("room1", self.frame, START_NS + int(self.frame * 1e9 / RATE_HZ))
        png = picture(np.full((HEIGHT, WIDTH, 3), 90))
        report = PrivacyReport(0, 0, 0, Verdict.PASS)
        return list(self.gate.check(Omega(key, environment_of(key, png, 1), poses, ENCODER, report)).poses)


def body(subject: int, x: float, layer: int) -> SubjectPose:
    keypoints = np.full((17, 3), (x, 20.0, 0.8), np.float32)
    return SubjectPose(subject, (x - 5, 10.0, x + 5, 30.0), keypoints, None, layer)


def places(poses: list[SubjectPose]) -> dict[int, float]:
    return {pose.subject_id: float(pose.keypoints[0, 0]) for pose in poses}


def test_crowd_of_twenty_that_moves_all_the_time_is_never_held() -> None:
    crowd = Crowd()
    for step in range(200):
        wanted = [body(subject, float((step * 3 + subject) % WIDTH), subject) for subject in range(1, 21)]
        assert places(crowd.show(*wanted)) == places(wanted)
    assert crowd.gate.gate.held == 0


def test_people_who_keep_still_cost_nothing() -> None:
    crowd = Crowd(Budgets(poses_per_second=0.2))
    for _ in range(100):
        assert places(crowd.show(body(1, 10.0, 0), body(2, 20.0, 1))) == {1: 10.0, 2: 20.0}
    assert crowd.gate.gate.held == 0


def test_of_poses_that_exceed_the_budget_those_wait_that_moved_least() -> None:
    crowd = Crowd(Budgets(poses_per_second=0.4))  # a reserve of four
    crowd.show(body(1, 10.0, 0), body(2, 20.0, 1))
    crowd.show(body(1, 11.0, 0), body(2, 20.0, 1))
    # One change is left: somebody falls, somebody else trembles.
    assert places(crowd.show(body(1, 12.0, 0), body(2, 50.0, 1))) == {1: 11.0, 2: 50.0}
    assert crowd.gate.gate.held == 1
    # Nobody new is shown, and layers stay without a gap.
    left = crowd.show(body(3, 40.0, 0), body(1, 13.0, 1), body(2, 51.0, 2))
    assert [(pose.subject_id, pose.layer) for pose in left] == [(1, 0), (2, 1)]
    assert places(left) == {1: 11.0, 2: 50.0}
    crowd.gate.clock.advance(60.0)
    after = places(crowd.show(body(3, 41.0, 0), body(1, 14.0, 1), body(2, 52.0, 2)))
    assert after == {3: 41.0, 1: 14.0, 2: 52.0}


def test_value_that_is_no_place_costs_as_much_as_one() -> None:
    crowd = Crowd(Budgets(poses_per_second=0.3))  # a reserve of three
    one = body(1, 10.0, 0)
    wider = replace(one, box=(1.0, 10.0, 15.0, 30.0))
    fainter = replace(one, keypoints=one.keypoints * np.float32((1.0, 1.0, 0.5)))
    boxes = [crowd.show(pose)[0].box for pose in (one, wider, one, wider)]
    assert boxes == [one.box, wider.box, one.box, one.box]
    np.testing.assert_array_equal(crowd.show(fainter)[0].keypoints, one.keypoints)


def test_order_of_people_who_keep_still_is_no_free_channel() -> None:
    crowd = Crowd(Budgets(poses_per_second=0.8))  # a reserve of eight
    people = [(1, 10.0), (2, 20.0), (3, 30.0)]
    orders = []
    for turn in range(12):
        first = turn % 3
        shown = [body(*one, layer) for layer, one in enumerate(people[first:] + people[:first])]
        left = crowd.show(*shown)
        orders.append([pose.subject_id for pose in left])
        assert [pose.layer for pose in left] == [0, 1, 2]
    assert orders[:2] == [[1, 2, 3], [2, 3, 1]]
    assert len({tuple(order) for order in orders[2:]}) == 1
