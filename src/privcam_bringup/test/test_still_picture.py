"""The still of a run: which moment it shows, and what stands beside it."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from privcam_bringup.graph_observer import FrameSummary, Observations
from privcam_bringup.still_picture import (
    GAP_PX,
    HEADING_PX,
    Album,
    environment_at,
    frame_at,
    raw_frame,
    side_by_side,
)
from privcam_core.images.environment import FILL, encode_environment

SUMMARY = FrameSummary(1, 100.0, 100.2, 1, 0.5, 0.5, 0.1, False, 0.0)


def picture(level: int, height: int = 48, width: int = 64) -> np.ndarray:
    return np.full((height, width, 3), level, np.uint8)


def seen() -> Observations:
    """Five frames, one a second; most can be seen in the third."""
    run = Observations()
    for number, readable in enumerate((1.0, 2.0, 9.0, 3.0, 4.0)):
        run.frames.append(replace(SUMMARY, frame_id=10 + number, stamp_s=100.0 + number, readable=readable))
    return run


def environment(level: int) -> bytes:
    confirmed_mask = np.zeros((48, 64), bool)
    confirmed_mask[:, :32] = True
    return encode_environment(picture(level), confirmed_mask)


def test_still_is_the_moment_in_which_most_can_be_seen() -> None:
    album = Album()
    for number in range(5):
        album.offer(100.0 + number, picture(number))
    summary, visible = album.best(seen())
    assert summary.frame_id == 12
    assert (visible == 2).all()


def test_album_keeps_one_picture_a_second() -> None:
    album = Album(every_s=1.0)
    for tenth in range(31):
        album.offer(100.0 + tenth / 10, picture(tenth))
    assert [round(visible - 100) for visible, _ in album.pictures] == [0, 1, 2, 3]


def test_album_without_a_picture_says_so() -> None:
    with pytest.raises(LookupError, match="no contour picture came"):
        Album().best(seen())


def test_frame_of_a_moment_is_the_one_before_it() -> None:
    assert frame_at(seen(), 101.9).frame_id == 11
    assert frame_at(seen(), 102.0).frame_id == 12
    assert frame_at(seen(), 99.0).frame_id == 10  # a picture from before the first frame that was seen


def test_environment_is_the_one_that_held_at_the_frame() -> None:
    run = Observations(environments=[(10, environment(30)), (14, environment(60))])
    for frame_id, level in ((10, 30), (13, 30), (14, 60), (99, 60), (1, 30)):
        plate = environment_at(run, frame_id)
        assert (plate[:, :32] == level).all()
        assert (plate[:, 32:] == FILL).all()


def test_raw_frame_is_found_again_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for level in (20, 60, 100, 140):
        writer.write(picture(level))
    writer.release()
    assert round(float(raw_frame(path, 1).mean()), -1) == 20
    assert round(float(raw_frame(path, 3).mean()), -1) == 100
    with pytest.raises(LookupError, match=r"a\.avi: frame 5 cannot be read again"):
        raw_frame(path, 5)


def test_pictures_stand_beside_each_other_at_the_same_height_under_their_headings() -> None:
    sheet = side_by_side(picture(40), "left", picture(200, 96, 128), "right")
    assert sheet.shape == (48 + HEADING_PX, 64 + GAP_PX + 64, 3)
    assert (sheet[HEADING_PX:, :64] == 40).all()
    assert (sheet[HEADING_PX:, 64 + GAP_PX :] == 200).all()
    assert (sheet[HEADING_PX:, 64 : 64 + GAP_PX] == 255).all()
    assert (sheet[:HEADING_PX] < 255).any()  # something is written there
