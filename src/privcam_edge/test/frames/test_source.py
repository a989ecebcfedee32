"""Sources of frames, and the errors when there are no frames."""

from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from privcam_edge.frames.source import (
    DEFAULT_RATE_HZ,
    Backoff,
    SourceEnded,
    SourceError,
    Spec,
    VideoSource,
    parse,
)


def write_video(path: Path, levels: list[int], rate_hz: int = 10) -> Path:
    """Write one flat grey picture of 64x48 px per level."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), rate_hz, (64, 48))
    assert writer.isOpened()
    for level in levels:
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    return path


@pytest.mark.parametrize(
    ("text", "kind", "target"),
    [
        ("0", "camera", "0"),
        ("12", "camera", "12"),
        ("/dev/video3", "camera", "3"),
        ("rtsp://10.0.0.7/stream", "stream", "rtsp://10.0.0.7/stream"),
        ("RTSP://10.0.0.7/Stream", "stream", "rtsp://10.0.0.7/Stream"),
        ("https://cam.example/live.m3u8", "stream", "https://cam.example/live.m3u8"),
        ("videos/a.mp4", "file", "videos/a.mp4"),
        ("2024.avi", "file", "2024.avi"),
        ("topic.mp4", "file", "topic.mp4"),
    ],
)
def test_kind_of_a_source_is_parsed_from_its_text(text: str, kind: str, target: str) -> None:
    assert parse(text) == Spec(kind, target)
    assert parse(text).live == (kind != "file")


def test_empty_source_is_rejected_and_the_kinds_are_listed() -> None:
    with pytest.raises(SourceError, match="source is empty: give a camera index"):
        parse("")


def test_frames_of_a_file_come_in_order_until_it_ends(tmp_path: Path) -> None:
    source = VideoSource(parse(str(write_video(tmp_path / "a.avi", [10, 60, 120, 200]))))
    assert source.rate_hz == 10
    assert round(float(source.read().mean()), -1) == 10
    source.skip()
    last = [source.read() for _ in range(2)]
    assert [round(float(image.mean()), -1) for image in last] == [120, 200]
    assert last[0].shape == (48, 64, 3)
    assert last[0].dtype == np.uint8
    assert source.index == 4
    with pytest.raises(SourceEnded):
        source.read()
    with pytest.raises(SourceEnded):
        source.skip()
    source.close()


def test_implausible_rate_is_replaced_by_the_default(tmp_path: Path) -> None:
    path = tmp_path / "fast.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=1000)
        stream.width, stream.height = 64, 48
        for number in range(10):
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 20 * number, np.uint8), format="bgr24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    source = VideoSource(parse(str(path)))
    assert source.rate_hz == DEFAULT_RATE_HZ
    source.close()


def test_source_that_cannot_be_opened_is_named_with_the_reason(tmp_path: Path) -> None:
    text = tmp_path / "letter.mp4"
    text.write_text("no video at all")
    (tmp_path / "empty.avi").touch()
    for path, reason in (
        (tmp_path / "nowhere.mp4", "no such file"),
        (tmp_path, "not a file that this user may read"),
        (text, "is not a video that FFmpeg can decode"),
        (tmp_path / "empty.avi", "is not a video that FFmpeg can decode"),
        (Path("/dev/video98"), "no such camera; cameras here: "),
    ):
        with pytest.raises(SourceError) as raised:
            VideoSource(parse(str(path)))
        assert str(raised.value).startswith(f"source {path}: {reason}")


def test_stream_that_cannot_be_opened_is_named_by_scheme_and_host() -> None:
    with pytest.raises(SourceError, match=r"^source http://127\.0\.0\.1:9: gave no stream"):
        VideoSource(parse("http://127.0.0.1:9/video"))  # no server listens on the discard port


def test_attempts_become_rarer_up_to_a_limit_and_start_again_after_a_success() -> None:
    backoff = Backoff(first_s=0.5, max_s=3.0)
    assert [backoff.failed() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    backoff.succeeded()
    assert backoff.failed() == 0.5
