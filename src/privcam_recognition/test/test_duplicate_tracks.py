"""Which two tracks are of one body: those that are never apart."""

import numpy as np
import pytest

from privcam_core.types.skeleton import KEYPOINT_COUNT
from privcam_recognition.duplicate_tracks import is_same_body
from privcam_recognition.temporal.windows import Track


def track(times: list[float], x: list[float], width: float = 60.0) -> Track:
    """A box 200 px high whose left side is at x px at each time."""
    left = np.array(x)
    boxes = np.stack((left, np.full_like(left, 100.0), left + width, np.full_like(left, 300.0)), axis=1)
    return Track(np.array(times), boxes.astype(np.float32), np.zeros((len(times), KEYPOINT_COUNT, 3), np.float32))


SECONDS = [0.0, 0.5, 1.0, 1.5]
STANDS = track(SECONDS, [100.0] * 4)


@pytest.mark.parametrize(
    ("other", "same"),
    [
        pytest.param(track(SECONDS, [110.0, 90.0, 120.0, 100.0]), True, id="a box that jumps about the same body"),
        pytest.param(track(SECONDS, [110.0] * 4, width=20.0), True, id="a box of a part of the body"),
        pytest.param(track([0.0, 0.7, 1.5], [110.0] * 3), True, id="found now and then, always there"),
        pytest.param(track(SECONDS, [20.0, 90.0, 110.0, 180.0]), False, id="somebody who walks past"),
        pytest.param(track(SECONDS, [110.0, 110.0, 110.0, 150.0]), False, id="apart once"),
        pytest.param(track([0.5, 1.0], [110.0] * 2), False, id="together for a moment only"),
        pytest.param(track([0.2, 0.7, 1.2], [110.0] * 3), False, id="never seen at the same time"),
    ],
)
def test_two_tracks_that_are_never_apart_are_one_body(other: Track, same: bool) -> None:
    assert is_same_body(STANDS, other) is same
    assert is_same_body(other, STANDS) is same
