"""Recordings and segments of a web server: what ends, what is live, and that no part is lost on the way."""

import threading
import time
from contextlib import closing
from functools import partial
from http.server import SimpleHTTPRequestHandler
from pathlib import Path

import numpy as np
import pytest
from video_files import flat, write_clip
from video_servers import LivePlaylist

from harness.web_server import WebServer
from privcam_core.types.stamp_clock import StampClock
from privcam_core.types.time import NS_PER_S
from privcam_sources.errors import SourceEnded, SourceTorn
from privcam_sources.source_spec import parse
from privcam_sources.timing.playback import StampedFrame, take_frames
from privcam_sources.video_source import open_source

SEGMENT_S, SEGMENT_FRAMES = 1.0, 10


def send_without_length(data: bytes, bytes_per_s: float, asked: list[str], request: SimpleHTTPRequestHandler) -> bool:
    """Send bytes as a server does that does not know how many there will be; they end with the connection."""
    asked.append(request.path)
    request.close_connection = True
    request.send_response(200)
    request.send_header("Content-Type", "video/mp2t")
    request.send_header("Connection", "close")
    request.end_headers()
    piece = round(bytes_per_s / 20) if bytes_per_s else len(data)
    for at in range(0, len(data), piece):
        request.wfile.write(data[at : at + piece])
        request.wfile.flush()
        if bytes_per_s:
            time.sleep(0.05)
    return True


def read_all(url: str) -> tuple[list[float], Exception]:
    times_s: list[float] = []
    with closing(open_source(parse(url))) as source:
        assert (source.ends, source.paced) == (True, True)
        try:
            while True:
                times_s.append((source.read().time_ns or 0) / NS_PER_S)
        except (SourceEnded, SourceTorn) as end:
            return times_s, end


# A second of a transport stream comes from a camera at once, too.
@pytest.mark.parametrize(("container", "seconds"), [("mp4", 1), ("mkv", 1), ("mp4", 15), ("mkv", 15), ("ts", 15)])
def test_recording_of_unknown_size_is_read_to_its_end(tmp_path: Path, container: str, seconds: int) -> None:
    options = {"movflags": "faststart"} if container == "mp4" else {}
    pictures = [flat(n % 200) for n in range(10 * seconds)]
    clip = write_clip(tmp_path / f"a.{container}", pictures, container=options)
    asked: list[str] = []
    with WebServer(tmp_path, partial(send_without_length, clip.read_bytes(), 0.0, asked)) as server:
        times_s, end = read_all(f"{server.url}/a.{container}")
    assert isinstance(end, SourceEnded)
    assert times_s == pytest.approx([0.1 * n for n in range(10 * seconds)], abs=0.002)
    assert len(asked) == 1  # nothing is asked for again behind the end


def test_recording_of_unknown_size_that_breaks_off_is_torn(tmp_path: Path) -> None:
    pictures = np.random.default_rng(1).integers(0, 255, (100, 48, 64, 3), np.uint8)
    clip = write_clip(tmp_path / "a.mkv", list(pictures))
    data = clip.read_bytes()
    with WebServer(tmp_path, partial(send_without_length, data[: int(0.95 * len(data))], 0.0, [])) as server:
        times_s, end = read_all(f"{server.url}/a.mkv")
    assert isinstance(end, SourceTorn)
    assert f"breaks off after {len(times_s)} frames" in str(end)


def test_transport_stream_that_comes_at_its_own_pace_is_live(tmp_path: Path) -> None:
    data = write_clip(tmp_path / "a.ts", [flat(n) for n in range(60)], options={"bf": "0"}).read_bytes()
    with (
        WebServer(tmp_path, partial(send_without_length, data, len(data) / 6.0, [])) as server,
        closing(open_source(parse(f"{server.url}/a.ts"))) as source,
    ):
        assert (source.ends, source.paced) == (False, False)
        assert [round((source.read().time_ns or 0) / 1e8) for _ in range(10)] == list(range(10))


def test_web_camera_names_no_rate(tmp_path: Path) -> None:
    """FFmpeg would say 25 frames/s."""
    picture = write_clip(tmp_path / "a.mjpeg", [flat(90)], codec="mjpeg", pixels="yuvj420p").read_bytes()
    part = b"--b\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(picture) + picture + b"\r\n"

    def answer(request: SimpleHTTPRequestHandler) -> bool:
        request.close_connection = True
        request.send_response(200)
        request.send_header("Content-Type", "multipart/x-mixed-replace; boundary=b")
        request.end_headers()
        for _ in range(100):
            request.wfile.write(part)
            time.sleep(0.02)
        return True

    with WebServer(tmp_path, answer) as server, closing(open_source(parse(f"{server.url}/video"))) as source:
        assert (source.info.rate_hz, source.ends, source.paced) == (None, False, False)


@pytest.mark.parametrize("phase", [0.0, 0.5, 0.95])
def test_live_playlist_of_three_segments_loses_nothing(tmp_path: Path, phase: float) -> None:
    """The playlist is opened just after and just before its oldest segment leaves it."""
    names = []
    for number in range(9):
        times_s = [SEGMENT_S * number + 0.1 * frame for frame in range(SEGMENT_FRAMES)]
        names.append(f"s{number}.ts")
        # Which segment a picture is of, its brightness tells.
        pictures = [flat(20 + 20 * number)] * SEGMENT_FRAMES
        write_clip(tmp_path / names[-1], pictures, times_s=times_s, options={"bf": "0"})
    playlist = LivePlaylist(names, SEGMENT_S, phase=phase)

    def answer(request: SimpleHTTPRequestHandler) -> bool:
        name = request.path.lstrip("/")
        gone = name in names and name not in playlist.text()
        if not gone and name != "live.m3u8":
            return False
        data = b"" if gone else playlist.text().encode()
        request.send_response(404 if gone else 200)
        request.send_header("Content-Type", "application/vnd.apple.mpegurl")
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)
        return True

    with WebServer(tmp_path, answer) as server, closing(open_source(parse(f"{server.url}/live.m3u8"))) as source:
        assert (source.ends, source.paced) == (False, True)
        seen: list[int] = []
        for frame in take_frames(source, StampClock(), threading.Event(), after_ns=0, lossless=False):
            if isinstance(frame, StampedFrame):
                seen.append(round((float(frame.image.mean()) - 20) / 20))
            if seen and seen[-1] == 7:
                break
    # On a busy machine frames are skipped, but no segment.
    assert sorted(set(seen)) == list(range(seen[0], 8))
    assert len(seen) > 0.5 * SEGMENT_FRAMES * (7 - seen[0])
