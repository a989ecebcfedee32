"""Composer draws proxies over the environment; PictureKeeper makes every picture leave with some Ω."""

import numpy as np
import pytest

from privcam_core.images.environment import FILL, encode_environment, environment_of
from privcam_core.types.omega import Environment, SubjectPose, SyncKey
from privcam_edge.composition import Composer, PictureKeeper, UnknownEnvironment

HEIGHT, WIDTH = 96, 128


def environment(frame_id: int, level: int = 90) -> Environment:
    """A new environment: the left half of the picture is confirmed."""
    confirmed_mask = np.zeros((HEIGHT, WIDTH), bool)
    confirmed_mask[:, : WIDTH // 2] = True
    png = encode_environment(np.full((HEIGHT, WIDTH, 3), level, np.uint8), confirmed_mask)
    return environment_of(SyncKey("room", frame_id, frame_id * 10**8), png, frame_id)


def pose(x: float = 90.0) -> SubjectPose:
    keypoints = np.zeros((17, 3), np.float32)
    keypoints[:, 0] = x + np.tile([-6, 6], 9)[:17]
    keypoints[:, 1] = np.linspace(10, 80, 17)
    keypoints[:, 2] = 0.9
    return SubjectPose(1, (x - 15, 5.0, x + 15, 85.0), keypoints)


def test_anonymous_frame_without_subjects_is_the_environment() -> None:
    image = Composer().compose(environment(1), [])
    assert (image[:, : WIDTH // 2] == 90).all()
    assert (image[:, WIDTH // 2 :] == FILL).all()


def test_subject_is_drawn_over_the_environment_and_leaves_no_trace_in_the_next_frame() -> None:
    composer = Composer()
    first = environment(1)
    empty = composer.compose(first, [])
    drawn = composer.compose(first.without_png(), [pose()])
    changed = (drawn != empty).any(axis=2)
    assert changed.any()
    assert not changed[:, :60].any()
    assert np.array_equal(composer.compose(first.without_png(), []), empty)


def test_environment_with_an_unknown_digest_is_rejected_until_its_picture_arrives() -> None:
    composer = Composer()
    new = environment(2, level=30)
    with pytest.raises(UnknownEnvironment, match=new.digest.hex()[:12]):
        composer.compose(new.without_png(), [])
    composer.update(environment(1))
    with pytest.raises(UnknownEnvironment):
        composer.compose(new.without_png(), [])
    composer.update(new)
    assert (composer.compose(new.without_png(), [])[:, : WIDTH // 2] == 30).all()


def test_old_environment_is_not_drawn_in_place_of_the_newest() -> None:
    composer = Composer()
    old = environment(1)
    composer.update(old)
    composer.update(environment(2, level=30))
    with pytest.raises(UnknownEnvironment):
        composer.compose(old.without_png(), [])


def test_picture_of_a_dropped_frame_leaves_with_the_next_frame() -> None:
    keeper = PictureKeeper()
    new = environment(1)
    keeper.note(new)  # the frame with the PNG is never completed
    carried = keeper.complete(new.without_png())
    assert carried.png == new.png
    assert keeper.complete(new.without_png()).png == b""  # once is enough


def test_picture_that_leaves_with_its_own_frame_is_not_sent_twice() -> None:
    keeper = PictureKeeper()
    new = environment(1)
    keeper.note(new)
    assert keeper.complete(new).png == new.png
    assert keeper.complete(new.without_png()).png == b""


def test_frame_never_gets_the_picture_of_another_digest() -> None:
    keeper = PictureKeeper()
    old, new = environment(1), environment(2, level=30)
    keeper.note(old)
    keeper.note(new)
    assert keeper.complete(old.without_png()).png == b""
    assert keeper.complete(new.without_png()).png == new.png
