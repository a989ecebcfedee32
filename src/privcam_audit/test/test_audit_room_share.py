"""What is shown of a room is counted outside of people."""

from dataclasses import replace

import numpy as np
import pytest

from privcam_audit.scenarios.room_share import RoomShare
from privcam_audit.scenarios.scene import Scene


def test_the_room_is_counted_where_nobody_is_or_was_a_moment_ago() -> None:
    black = np.zeros((40, 40, 3), np.uint8)
    share, empty = RoomShare(np.ones((40, 40), np.bool_)), np.zeros((40, 40), np.bool_)
    person = empty.copy()
    person[10:20, 10:20] = True
    shown = empty.copy()
    shown[25:] = True
    there = Scene(black, black, ~empty, person, person, empty)
    for seconds, scene_now in (
        (0.0, there),
        (1.0, replace(there, labelled=empty)),
        (9.0, replace(there, labelled=empty)),
    ):
        share.add(scene_now, shown, seconds)
    (_, with_person), (_, just_left), (_, later) = share.frames
    assert with_person == just_left > later == pytest.approx(15 / 40)
    assert share.at(-1.0) is None
    assert share.at(5.0) == just_left
