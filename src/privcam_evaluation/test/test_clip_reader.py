"""The frames of a clip: every n-th, a part of the picture, a loop, and clips that cannot be read."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from privcam_edge.frames.source import SourceError
from privcam_evaluation.clip_reader import frame_rate, read_frames, read_looped

LEVELS = (20, 60, 100, 140, 180)


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A clip at 10 frames/s of which each frame has a grey level of its own, the right half lighter by 40."""
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for level in LEVELS:
        picture = np.full((48, 64, 3), level, np.uint8)
        picture[:, 32:] += np.uint8(40)
        writer.write(picture)
    writer.release()
    return path


def levels(frames: list[np.ndarray]) -> list[int]:
    return [round(float(frame[:, :24].mean()), -1) for frame in frames]


def test_every_frame_is_read_in_order(clip: Path) -> None:
    assert frame_rate(clip) == 10
    assert levels(list(read_frames(clip))) == list(LEVELS)


def test_every_second_frame_up_to_a_limit(clip: Path) -> None:
    assert levels(list(read_frames(clip, step=2))) == [20, 100, 180]
    assert levels(list(read_frames(clip, step=2, limit=2))) == [20, 100]


def test_crop_is_cut_out_and_has_to_be_in_the_picture(clip: Path) -> None:
    (first, *_) = read_frames(clip, crop=(32, 8, 64, 40))
    assert first.shape == (32, 32, 3)
    assert round(float(first.mean()), -1) == 60
    with pytest.raises(ValueError, match="is not within the 64x48 px"):
        next(read_frames(clip, crop=(32, 8, 65, 40)))


def test_loop_starts_again_at_the_end_and_leaves_out_frames_above_its_rate(clip: Path) -> None:
    assert levels(list(read_looped(clip, 1.2, 5.0))) == [20, 100, 180, 20, 100, 180]


def test_clip_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.avi").touch()
    with pytest.raises(SourceError, match=r"empty\.avi"):
        list(read_frames(tmp_path / "empty.avi"))
