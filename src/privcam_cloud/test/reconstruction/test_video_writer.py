from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from privcam_cloud.reconstruction.video_writer import VideoError, VideoWriter


def picture(step, height=48, width=64):
    frame = np.zeros((height, width, 3), np.uint8)
    frame[:, step % width :] = (200, 60, 20)
    return frame


def noise(seed):
    return np.random.default_rng(seed).integers(0, 256, (240, 320, 3), dtype=np.uint8)


def read(path):
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        frames = [frame.to_ndarray(format="bgr24") for frame in container.decode(stream)]
        return stream.codec_context.name, stream.codec_context.pix_fmt, stream.average_rate, frames


@pytest.mark.parametrize(("rate", "expected"), [(10.0, Fraction(10)), (29.97, Fraction(2997, 100))])
def test_video_is_h264_with_every_frame_at_the_rate_asked_for(tmp_path, rate, expected):
    with VideoWriter(tmp_path / "a.mp4", rate) as video:
        for step in range(25):
            video.write(picture(step))
    codec, pixels, average_rate, frames = read(tmp_path / "a.mp4")
    assert (codec, pixels, len(frames)) == ("h264", "yuv420p", 25)
    assert float(average_rate) == pytest.approx(float(expected), rel=1e-3)
    assert np.abs(frames[0].astype(int) - picture(0)).mean() < 12


def test_picture_of_odd_size_gets_a_copied_row_and_column(tmp_path):
    with VideoWriter(tmp_path / "odd.mp4", 10) as video:
        video.write(picture(0, 47, 63))
    (frame,) = read(tmp_path / "odd.mp4")[3]
    assert frame.shape == (48, 64, 3)
    assert np.abs(frame[:, 63].astype(int) - frame[:, 62]).mean() < 12


def test_file_has_its_name_only_when_it_is_complete(tmp_path):
    video = VideoWriter(tmp_path / "a.mp4", 10)
    video.write(picture(0))
    assert not (tmp_path / "a.mp4").exists()
    video.close()
    video.close()
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_video_without_a_frame_leaves_no_file(tmp_path):
    VideoWriter(tmp_path / "a.mp4", 10).close()
    assert list(tmp_path.iterdir()) == []


def test_what_was_recorded_before_an_interruption_is_kept(tmp_path):
    with pytest.raises(KeyboardInterrupt), VideoWriter(tmp_path / "a.mp4", 10) as video:
        video.write(picture(0))
        raise KeyboardInterrupt
    assert len(read(tmp_path / "a.mp4")[3]) == 1


def test_aborted_video_leaves_nothing(tmp_path):
    video = VideoWriter(tmp_path / "a.mp4", 10)
    video.write(picture(0))
    video.abort()
    assert list(tmp_path.iterdir()) == []


def test_missing_folder_is_named_with_what_to_do(tmp_path):
    path = tmp_path / "no" / "such" / "a.mp4"
    with (
        pytest.raises(VideoError, match=rf"{path}.*No such file.*check that the folder"),
        VideoWriter(path, 10) as video,
    ):
        video.write(picture(0))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the device that is always full")
def test_full_disk_is_an_error_that_says_so_and_leaves_nothing(tmp_path):
    path = tmp_path / "a.mp4"
    (tmp_path / "a.mp4.part").symlink_to("/dev/full")
    video = VideoWriter(path, 10)
    with pytest.raises(VideoError, match="No space left"):
        for step in range(200):
            video.write(noise(step))
        video.close()
    assert list(tmp_path.iterdir()) == []


def test_full_disk_at_the_very_end_is_an_error_too(tmp_path):
    if not Path("/dev/full").exists():
        pytest.skip("needs the device that is always full")
    (tmp_path / "a.mp4.part").symlink_to("/dev/full")
    video = VideoWriter(tmp_path / "a.mp4", 10)
    with pytest.raises(VideoError, match="No space left"):
        video.write(picture(0))
        video.close()
    assert list(tmp_path.iterdir()) == []


def test_picture_of_another_size_is_refused(tmp_path):
    with VideoWriter(tmp_path / "a.mp4", 10) as video:
        video.write(picture(0))
        with pytest.raises(ValueError, match="shape"):
            video.write(picture(0, 50, 64))
    with pytest.raises(ValueError, match="closed"):
        video.write(picture(0))


def test_rate_of_nothing_is_refused(tmp_path):
    with pytest.raises(ValueError, match="frames_per_s"):
        VideoWriter(tmp_path / "a.mp4", 0)
