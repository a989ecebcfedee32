"""PictureSchedule decides when a picture is sent, and whether whole or as a patch."""

from collections.abc import Sequence

import numpy as np
import pytest

from privcam_core.images.environment import decode_environment, encode_environment, environment_of
from privcam_core.types.omega import Environment, SyncKey
from privcam_edge.link.picture_schedule import KEPT_BYTES, KEPT_PICTURES, PUSH_BYTES, PictureSchedule
from privcam_link.validation import open_environment

HEIGHT, WIDTH = 60, 80
SCENE = np.random.default_rng(5).integers(0, 256, (HEIGHT, WIDTH, 3), np.uint8)


class Clock:
    """A clock that the test sets."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def make_environment(changed_rows: int = 0, *, level: int = 7, height: int = HEIGHT) -> Environment:
    """Return a detailed picture in which some rows have another plain colour."""
    plate = SCENE[:height].copy()
    plate[:changed_rows] = level
    png = encode_environment(plate, np.ones((height, WIDTH), np.bool_))
    return environment_of(SyncKey("room1", 1, 10**18), png, 1)


def shows(made: Environment, whole: Environment, bases: Sequence[Environment] = ()) -> bool:
    """Return whether a consumer with `bases` decodes `whole` from the sent environment."""
    known = {base.digest: decode_environment(base.png) for base in bases}
    plate, confirmed_mask = open_environment(made, known[made.base] if made.base else None)
    return encode_environment(plate, confirmed_mask) == whole.png and made.digest == whole.digest


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def schedule(clock: Clock) -> PictureSchedule:
    return PictureSchedule(refresh_s=60.0, clock=clock)


def test_picture_is_due_when_it_is_new_and_again_after_the_refresh_time(
    schedule: PictureSchedule, clock: Clock
) -> None:
    due = []
    for wait, picture in [
        (0, make_environment()),
        (1, make_environment()),
        (58, make_environment()),
        (1, make_environment()),
        (1, make_environment(9)),
        (1, make_environment(9)),
    ]:
        clock.now += wait
        due.append(schedule.due(picture.digest))
        if due[-1]:
            schedule.make(picture)
    assert due == [True, False, False, True, True, False]


def test_first_picture_is_whole_and_a_changed_one_a_patch_on_it(schedule: PictureSchedule) -> None:
    first, changed = make_environment(), make_environment(5)
    assert schedule.make(first) is first
    patch = schedule.make(changed)
    assert patch.base == first.digest
    assert len(patch.png) * 5 < len(changed.png)
    assert shows(patch, changed, [first])


def test_patch_is_made_on_the_most_similar_picture(schedule: PictureSchedule) -> None:
    for picture in (make_environment(), make_environment(30), make_environment(20, level=200)):
        schedule.make(picture)
    assert schedule.make(make_environment(28)).base == make_environment(30).digest
    assert schedule.make(make_environment(2)).base == make_environment().digest


def test_returning_picture_is_a_small_patch(schedule: PictureSchedule) -> None:
    first, other = make_environment(), make_environment(40)
    schedule.make(first)
    schedule.make(other)
    assert schedule.due(first.digest)
    back = schedule.make(first)
    assert (back.base, shows(back, first, [other])) == (other.digest, True)


def test_picture_is_whole_where_a_patch_would_be_larger(schedule: PictureSchedule) -> None:
    even, noise = make_environment(HEIGHT), make_environment()
    schedule.make(noise)
    made = schedule.make(even)
    assert (made.base, made.png) == (b"", even.png)


def test_picture_of_another_size_is_whole(schedule: PictureSchedule) -> None:
    schedule.make(make_environment())
    assert not schedule.make(make_environment(5, height=HEIGHT // 2)).base


def test_newest_picture_is_whole_again_after_the_refresh_time_changed_or_not(
    schedule: PictureSchedule, clock: Clock
) -> None:
    schedule.make(make_environment())
    clock.now += 30.0
    assert schedule.make(make_environment(5)).base
    clock.now += 30.0
    assert schedule.due(make_environment(5).digest), "a subscriber that never queries cannot start with a patch"
    assert not schedule.make(make_environment(5)).base
    assert not schedule.due(make_environment(5).digest)
    clock.now += 60.0
    assert not schedule.make(make_environment(9)).base


def test_reply_is_a_patch_on_a_picture_that_the_consumer_has(schedule: PictureSchedule) -> None:
    pictures = [make_environment(), make_environment(10), make_environment(20)]
    for picture in pictures:
        schedule.make(picture)
    wanted = make_environment(21)
    for have in pictures:
        made = schedule.make_reply(wanted, [have.digest])
        assert (made.base, shows(made, wanted, [have])) == (have.digest, True)
    assert schedule.make_reply(wanted, [picture.digest for picture in pictures]).base == pictures[2].digest


def test_reply_is_whole_for_a_consumer_with_no_picture_or_unknown_ones_or_the_picture_itself(
    schedule: PictureSchedule,
) -> None:
    schedule.make(make_environment())
    wanted = make_environment(5)
    assert schedule.make_reply(wanted, []) == wanted
    assert schedule.make_reply(wanted, [bytes(32), make_environment(9).digest]) == wanted
    schedule.make(wanted)
    assert schedule.make_reply(wanted, [wanted.digest]) == wanted


def test_picture_of_a_reply_is_a_base_of_the_next_one(schedule: PictureSchedule) -> None:
    schedule.make(make_environment(40))
    schedule.make_reply(make_environment(10), [])
    assert schedule.make_reply(make_environment(11), [make_environment(10).digest]).base == make_environment(10).digest


def test_large_picture_needs_a_query_and_the_next_one_is_a_patch_on_it() -> None:
    schedule = PictureSchedule()
    large = np.random.default_rng(1).integers(0, 256, (120, WIDTH, 3), np.uint8)
    assert large.nbytes > PUSH_BYTES
    changed = large.copy()
    changed[:9] = 7
    first, second = (
        environment_of(SyncKey("room1", 1, 10**18), encode_environment(plate, np.ones((120, WIDTH), np.bool_)), 1)
        for plate in (large, changed)
    )
    assert schedule.due(first.digest)
    assert schedule.make(first) is None
    assert not schedule.due(first.digest), "once it was made it waits for a query"
    assert schedule.make_reply(first, []) is first
    made = schedule.make(second)
    assert made is not None
    assert (made.base, shows(made, second, [first])) == (first.digest, True)


def test_without_a_refresh_time_nothing_is_sent_again(clock: Clock) -> None:
    schedule = PictureSchedule(clock=clock)
    schedule.make(make_environment())
    clock.now += 1e9
    assert not schedule.due(make_environment().digest)


def test_reply_does_not_change_what_is_due(schedule: PictureSchedule) -> None:
    schedule.make(make_environment())
    schedule.make_reply(make_environment(5), [make_environment().digest])
    assert (schedule.due(make_environment().digest), schedule.due(make_environment(5).digest)) == (False, True)


def test_only_the_newest_pictures_are_bases(schedule: PictureSchedule) -> None:
    pictures = [make_environment(rows) for rows in range(KEPT_PICTURES)]
    for picture in pictures:
        schedule.make(picture)
    assert schedule.make_reply(pictures[-1], [pictures[0].digest]).base
    assert not schedule.make_reply(make_environment(40), [pictures[0].digest]).base
    assert all(schedule.make_reply(make_environment(40), [picture.digest]).base for picture in pictures[1:])


def test_fewer_large_pictures_are_kept() -> None:
    side = 4000
    assert 2 * 4 * side * side > KEPT_BYTES
    schedule = PictureSchedule()
    large = []
    for level in (1, 2):
        png = encode_environment(np.full((side, side, 3), level, np.uint8), np.ones((side, side), np.bool_))
        large.append(environment_of(SyncKey("room1", 1, 10**18), png, 1))
        schedule.make(large[-1])
    assert not schedule.make_reply(large[1], [large[0].digest]).base


@pytest.mark.parametrize("seconds", [-1.0, float("nan")])
def test_invalid_refresh_time_is_rejected(seconds: float) -> None:
    with pytest.raises(ValueError, match="refresh_s"):
        PictureSchedule(refresh_s=seconds)
