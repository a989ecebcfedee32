"""The frames of a clip: every n-th, a part of the picture, a loop, and clips that cannot be read."""

from collections.abc import Iterable
from pathlib import Path

import cv2
import numpy as np
import pytest
from video_files import flat, write_clip

from privcam_core.types.arrays import Image
from privcam_evaluation.clip_reader import frame_rate, read_frames, read_looped
from privcam_sources.errors import SourceError
from privcam_sources.stream_info import TimedFrame

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


def levels(pictures: Iterable[Image]) -> list[int]:
    return [round(float(picture[:, :24].mean()), -1) for picture in pictures]


def pictures(frames: Iterable[TimedFrame]) -> list[Image]:
    return [frame.image for frame in frames]


def test_every_frame_is_read_in_order(clip: Path) -> None:
    assert frame_rate(clip) == 10
    assert levels(pictures(read_frames(clip))) == list(LEVELS)


def test_every_second_frame_up_to_a_limit(clip: Path) -> None:
    assert levels(pictures(read_frames(clip, step_s=0.2))) == [20, 100, 180]
    assert levels(pictures(read_frames(clip, step_s=0.2, limit=2))) == [20, 100]


def test_crop_is_cut_out_and_has_to_be_in_the_picture(clip: Path) -> None:
    (first, *_) = pictures(read_frames(clip, crop=(32, 8, 64, 40)))
    assert first.shape == (32, 32, 3)
    assert round(float(first.mean()), -1) == 60
    with pytest.raises(ValueError, match="is not within the 64x48 px"):
        next(read_frames(clip, crop=(32, 8, 65, 40)))


def test_loop_starts_again_at_the_end_and_leaves_out_frames_above_its_rate(clip: Path) -> None:
    assert levels(read_looped(clip, 1.2, 5.0)) == [20, 100, 180, 20, 100, 180]


def test_clip_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "empty.avi").touch()
    with pytest.raises(SourceError, match=r"empty\.avi"):
        list(read_frames(tmp_path / "empty.avi"))


def test_frames_of_a_variable_rate_come_with_their_times_and_evenly_by_them(tmp_path: Path) -> None:
    times_s = (0.0, 0.05, 0.1, 0.6, 0.65, 2.0)
    clip = write_clip(tmp_path / "a.mkv", [flat(20 + 20 * number) for number in range(6)], times_s=times_s)
    assert [round(1e-9 * (frame.time_ns or 0), 3) for frame in read_frames(clip)] == list(times_s)
    assert [round(1e-9 * (frame.time_ns or 0), 3) for frame in read_frames(clip, step_s=0.1)] == [0.0, 0.1, 0.6, 2.0]
    assert [round(1e-9 * (frame.time_ns or 0), 3) for frame in read_frames(clip, seconds=0.6)] == [0.0, 0.05, 0.1]
    # At 5 pictures/s the one of 0.65 s stands until 2 s.
    looped = [round(float(picture.mean()), -1) for picture in read_looped(clip, 2.2, 5.0)]
    assert looped == [20, 60, 60, 80, 100, 100, 100, 100, 100, 100, 120]


def test_clip_that_breaks_off_gives_what_is_there_and_says_how_much(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = list(np.random.default_rng(1).integers(0, 255, (40, 48, 64, 3), np.uint8))
    clip = write_clip(tmp_path / "a.mkv", noise)
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    found = list(read_frames(clip))
    assert 5 < len(found) < 30
    assert f"breaks off after {len(found)} frames" in capsys.readouterr().err
