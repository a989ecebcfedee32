"""What a source is, by its text; frames in order; and what is said when there are none."""

import os
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest
from video_files import flat, write_clip

from privcam_core.source_text import redact_source
from privcam_sources.errors import SourceEnded, SourceError
from privcam_sources.source_spec import SCHEMES, Spec, parse
from privcam_sources.timing.backoff import Backoff
from privcam_sources.video_source import OpenOptions, open_source


@pytest.mark.parametrize(
    ("text", "kind", "target"),
    [
        ("0", "camera", "/dev/video0"),
        ("12", "camera", "/dev/video12"),
        ("/dev/video3", "camera", "/dev/video3"),
        ("/dev/video_front", "camera", "/dev/video_front"),
        ("/dev/v4l/by-id/usb-Cam_123-video-index0", "camera", "/dev/v4l/by-id/usb-Cam_123-video-index0"),
        ("/dev/v4l/by-path/pci-0000:00:14.0-usb-0:3:1.0-video-index0", "camera", None),
        ("rtsp://10.0.0.7/stream", "stream", "rtsp://10.0.0.7/stream"),
        ("RTSP://10.0.0.7/Stream", "stream", "rtsp://10.0.0.7/Stream"),
        ("https://cam.example/live.m3u8", "stream", "https://cam.example/live.m3u8"),
        ("rtmp://10.0.0.7/live/1", "stream", "rtmp://10.0.0.7/live/1"),
        ("udp://239.0.0.1:1234", "stream", "udp://239.0.0.1:1234"),
        ("udp://@239.0.0.1:1234", "stream", "udp://@239.0.0.1:1234"),
        ("file:///data/K%C3%BCche%201.mp4", "file", "/data/Küche 1.mp4"),
        ("FILE://localhost/a.mp4", "file", "/a.mp4"),
        ("file:/a.mp4", "file", "/a.mp4"),
        ("videos/a.mp4", "file", "videos/a.mp4"),
        ("2024.avi", "file", "2024.avi"),
        ("topic.mp4", "file", "topic.mp4"),
        ("/dev/shm/a.mp4", "file", "/dev/shm/a.mp4"),
    ],
)
def test_kind_of_a_source_is_parsed_from_its_text(text: str, kind: str, target: str | None) -> None:
    assert parse(text) == Spec(kind, text if target is None else target)
    assert parse(text).live == (kind != "file")


def test_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert parse("~/a.mp4") == Spec("file", str(tmp_path / "a.mp4"))


def test_empty_source_is_rejected_and_the_kinds_are_listed() -> None:
    with pytest.raises(SourceError, match="source is empty: give a camera"):
        parse("")


@pytest.mark.parametrize("text", ["srt://10.0.0.7:9000", "foo://10.0.0.7/x", "webrtc://10.0.0.7/x"])
def test_scheme_that_cannot_be_opened_is_refused_by_name_with_those_that_can(text: str) -> None:
    with pytest.raises(SourceError) as raised:
        parse(text)
    assert f"the scheme {text.partition(':')[0]} cannot be opened; there are: file, rtsp, rtsps, http" in str(
        raised.value
    )


@pytest.mark.parametrize(
    "text",
    [
        "rtsp://10.0.0.7:99999/x", "rtsp://10.0.0.7:0/x", "rtsp://10.0.0.7:Geh31m/x", "http://10.0.0.7:-1/", "rtsp://",
        "rtsp:///x", "rtsp://[::1/x", "udp://@239.0.0.1:70000", "rtsp://10.0.0.7:554:33/x",
    ],
)  # fmt: skip
def test_address_that_cannot_be_one_is_refused_before_anything_is_opened(text: str) -> None:
    with pytest.raises(SourceError, match="needs a host, and a port from 1 to 65535 or none") as raised:
        parse(text)
    assert "Geh31m" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a\0b.mp4", "has a zero byte in it"),
        ("file:a.mp4", r"needs a path of this host: file:///folder/clip\.mp4"),
        ("a\nb\x1b.mp4", r"^source a\\nb\\x1b\.mp4: no such file$"),
        ("x" * 5000, r"^source x{400}…: "),
    ],
)
def test_odd_path_is_named_in_one_line(text: str, told: str) -> None:
    with pytest.raises(SourceError, match=told) as raised:
        open_source(parse(text))
    assert str(raised.value).isprintable()


def test_address_that_ffmpeg_does_not_take_is_told_in_words() -> None:
    with pytest.raises(SourceError, match=r"^source tcp://127\.0\.0\.1: FFmpeg does not take it; check the address"):
        open_source(parse("tcp://127.0.0.1"))


@pytest.mark.parametrize("scheme", sorted({*SCHEMES} - {"rtp", "udp"}))
def test_every_scheme_is_known_to_the_reader_which_says_at_once_that_nothing_listens(scheme: str) -> None:
    with pytest.raises(SourceError, match="the connection was refused: nothing listens there"):
        open_source(parse(f"{scheme}://127.0.0.1:9/x"))


@pytest.mark.parametrize("scheme", ["rtp", "udp"])
def test_datagrams_that_do_not_come_end_the_attempt(scheme: str) -> None:
    with pytest.raises(SourceError, match=r"no answer within 0\.2 s"):
        open_source(parse(f"{scheme}://127.0.0.1:5998"), OpenOptions(open_s=0.2))


def test_host_that_does_not_exist_is_called_so() -> None:
    with pytest.raises(SourceError, match=r"^source rtsp://camera\.invalid: there is no such host"):
        open_source(parse("rtsp://camera.invalid/x"))


def test_frames_of_a_file_come_in_order_until_it_ends(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", [flat(level) for level in (10, 60, 120, 200)])
    with closing(open_source(parse(str(clip)))) as source:
        assert source.rate_hz == 10
        assert round(float(source.read().image.mean()), -1) == 10
        assert source.skip() == 10**8
        last = [source.read() for _ in range(2)]
        assert [round(float(one.image.mean()), -1) for one in last] == [120, 200]
        assert last[0].image.shape == (48, 64, 3)
        assert last[0].image.dtype == np.uint8
        assert source.index == 4
        for _ in range(2):
            with pytest.raises(SourceEnded):
                source.read()
        with pytest.raises(SourceEnded):
            source.skip()


@pytest.mark.parametrize(
    "name",
    [
        "Küche.mp4",
        "ward #1.mp4",
        "100%.mp4",
        "%20.mp4",
        "clip%03d.mp4",
        'it\'s "odd".mp4',
        "a:b.mp4",
        "rtsp:x.mp4",
        "?x=1.mp4",
    ],
)
def test_file_with_an_odd_name_is_read(tmp_path: Path, name: str) -> None:
    clip = write_clip(tmp_path / "plain.mp4", [flat(90)] * 3).rename(tmp_path / name)
    with closing(open_source(parse(str(clip)))) as source:
        assert abs(float(source.read().image.mean()) - 90) < 4


def test_relative_name_that_looks_like_a_scheme_is_a_file_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_clip(tmp_path / "plain.mp4", [flat(90)] * 3).rename(tmp_path / "a:b.mp4")
    monkeypatch.chdir(tmp_path)
    with closing(open_source(parse("a:b.mp4"))) as source:
        assert source.read().image.shape == (48, 64, 3)


def test_source_that_cannot_be_opened_is_named_with_the_reason(tmp_path: Path) -> None:
    text = tmp_path / "letter.mp4"
    text.write_text("no video at all")
    (tmp_path / "letter.txt").write_text("Dear camera,\n" * 99)
    (tmp_path / "empty.avi").touch()
    for path, reason in (
        (tmp_path / "nowhere.mp4", "no such file"),
        (tmp_path, "is no file, but a folder, a pipe or a device"),
        (text, "is not a video that FFmpeg can decode"),
        (tmp_path / "letter.txt", "has no video in it"),
        (tmp_path / "empty.avi", "is not a video that FFmpeg can decode"),
        (Path("/dev/video98"), "no such camera; cameras here: "),
        (Path("/dev/null"), "is not a camera; cameras here: "),
    ):
        with pytest.raises(SourceError) as raised:
            open_source(parse(str(path)))
        assert str(raised.value).startswith(f"source {path}: {reason}")


def test_link_to_a_device_that_is_away_names_a_camera_and_one_to_a_file_a_file(tmp_path: Path) -> None:
    folder = tmp_path / "v4l/by-id"
    folder.mkdir(parents=True)
    (folder / "usb-Cam").symlink_to("../../video7")
    (tmp_path / "front").symlink_to("/dev/video97")
    (tmp_path / "sink").symlink_to("/dev/null")
    clip = write_clip(tmp_path / "a.mp4", [flat(9)] * 2)
    (tmp_path / "clip").symlink_to(clip)
    kinds = {name: parse(str(tmp_path / name)).kind for name in ("v4l/by-id/usb-Cam", "front", "sink", "clip")}
    assert kinds == {"v4l/by-id/usb-Cam": "camera", "front": "camera", "sink": "camera", "clip": "file"}


def test_link_is_followed_anew_at_each_attempt(tmp_path: Path) -> None:
    link = tmp_path / "front"
    link.symlink_to("/dev/video97")
    spec = parse(str(link))
    with pytest.raises(SourceError, match="no such camera"):
        open_source(spec)
    link.unlink()
    link.symlink_to("/dev/null")  # another device is there now
    with pytest.raises(SourceError, match="is not a camera"):
        open_source(spec)


@pytest.mark.skipif(os.geteuid() != 0, reason="makes a device node")
def test_device_node_without_a_driver_says_what_the_kernel_says(tmp_path: Path) -> None:
    node = tmp_path / "video0"
    try:
        os.mknod(node, 0o600 | 0o020000, os.makedev(81, 250))
    except PermissionError:
        pytest.skip("this machine allows no device nodes")
    with pytest.raises(SourceError, match=r"could not be opened \(.+\); cameras here: "):
        open_source(parse(str(node)))


def test_file_of_opencv_is_read_like_one_of_ffmpeg(tmp_path: Path) -> None:
    path = tmp_path / "a.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for level in (10, 60, 120):
        writer.write(flat(level))
    writer.release()
    with closing(open_source(parse(str(path)))) as source:
        frames = [source.read() for _ in range(3)]
    assert [frame.time_ns for frame in frames] == [0, 10**8, 2 * 10**8]
    assert [round(float(frame.image.mean()), -1) for frame in frames] == [10, 60, 120]


def test_attempts_become_rarer_up_to_a_limit_and_start_again_after_a_success() -> None:
    backoff = Backoff(first_s=0.5, max_s=3.0)
    assert [backoff.failed() for _ in range(5)] == [0.5, 1.0, 2.0, 3.0, 3.0]
    backoff.succeeded()
    assert backoff.failed() == 0.5


def test_shown_name_of_a_stream_has_no_path() -> None:
    assert parse("rtsp://10.0.0.7/stream").name == redact_source("rtsp://10.0.0.7/stream") == "rtsp://10.0.0.7"


def test_pipe_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(SourceError, match="is no file, but a folder, a pipe or a device"):
        open_source(parse(str(tmp_path / "pipe")))


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "ts"])
def test_recording_whose_times_begin_after_an_hour_is_whole(tmp_path: Path, suffix: str) -> None:
    """As a recorder makes its segments."""
    times_s = [3600 + index / 10 for index in range(20)]
    path = write_clip(tmp_path / f"late.{suffix}", [flat(9 * index) for index in range(20)], times_s=times_s)
    with closing(open_source(parse(str(path)))) as source:
        for _ in range(20):
            source.read()
        with pytest.raises(SourceEnded):
            source.read()
