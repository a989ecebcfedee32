"""Recordings and segments are played at the pace of their own times, from this host or from a server."""

import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from video_files import flat, write_clip
from video_servers import LivePlaylist, TcpServer

from harness.web_server import WebServer
from privcam_core.types.omega import SyncKey
from privcam_core.types.stamp_clock import StampClock
from privcam_core.types.time import NS_PER_S
from privcam_edge.frames.credit import Credit
from privcam_edge.frames.feed import Feed
from privcam_edge.frames.frame_store import FrameStore
from privcam_edge.frames.ring import FrameSlot
from privcam_sources.open_options import OpenOptions
from privcam_sources.source_spec import parse

CAMERA = f"pacetest{os.getpid()}"
LONG_S = 60.0


class Listener:
    """Takes frames, gives them back at once, and notes when each one came."""

    def __init__(self, credit: Credit, enough: int | None) -> None:
        self.keys: list[SyncKey] = []
        self.came_ns: list[int] = []
        self.errors: list[str] = []
        self.code: int | None = None
        self.skipped = 0
        self.done = threading.Event()
        self._credit, self._enough = credit, enough
        self._clock = StampClock()

    def publish_frame(self, key: SyncKey, _slot: FrameSlot) -> None:
        self.keys.append(key)
        self.came_ns.append(self._clock.now())
        self._credit.release(key.frame_id)
        if len(self.keys) == self._enough:
            self.done.set()

    def explain_loss(self) -> str:
        return "nobody"

    def fail(self, text: str) -> None:
        self.errors.append(text)

    def end(self, code: int) -> None:
        self.code = code
        self.done.set()

    @property
    def stamps_s(self) -> list[float]:
        """Times since the first frame, of stamps."""
        return [round((key.stamp_ns - self.keys[0].stamp_ns) / NS_PER_S, 3) for key in self.keys]

    def require_due(self) -> None:
        """Require that no frame came before its stamp. On a busy machine any may come late, also the first."""
        assert all(came_ns > key.stamp_ns - 50_000_000 for came_ns, key in zip(self.came_ns, self.keys, strict=True))

    def require_played(self, times_s: list[float]) -> None:
        """Require the frames of these times, and none before it is due. A busy machine may skip any but the first."""
        due_s = [min(times_s, key=lambda time_s: abs(time_s - stamp_s)) for stamp_s in self.stamps_s]
        assert self.stamps_s == pytest.approx(due_s, abs=0.005)
        assert len(set(due_s)) == len(due_s) == len(times_s) - self.skipped
        self.require_due()


@contextmanager
def fed(source: str, *, enough: int | None = None, loop: bool = False, lossless: bool = False) -> Iterator[Listener]:
    """Run a feed until it ends, or has given enough frames."""
    credit = Credit(3, timeout_s=LONG_S, lossless=lossless)
    listener = Listener(credit, enough)
    store = FrameStore(CAMERA, slots=4, retention_s=LONG_S)
    try:
        options = OpenOptions(read_s=5.0)
        feed = Feed(
            *(parse(source), store, credit, listener, StampClock()),
            lossless=lossless, loop=loop, max_rate_hz=0.0, options=options,
        )  # fmt: skip
        feed.start()
        assert listener.done.wait(LONG_S), (feed.state, listener.errors)
        feed.close()
        listener.skipped = feed.counts["skipped"]
        yield listener
    finally:
        store.close()


@pytest.mark.parametrize("place", ["here", "there"])
def test_recording_is_played_at_its_pace_and_ends(tmp_path: Path, place: str) -> None:
    times_s = [0.0, 0.1, 0.2, 1.0, 1.1, 2.0]
    clip = write_clip(tmp_path / "a.mp4", [flat(30 * n) for n in range(6)], times_s=times_s)
    with WebServer(tmp_path) as server, fed(f"{server.url}/a.mp4" if place == "there" else str(clip)) as found:
        assert (found.code, found.errors) == (0, [])
        assert found.stamps_s == pytest.approx(times_s, abs=0.002)
        found.require_due()


def test_recording_with_a_hole_ends_and_says_how_much_was_lost(tmp_path: Path) -> None:
    pictures = list(np.random.default_rng(1).integers(0, 255, (40, 48, 64, 3), np.uint8))
    clip = write_clip(tmp_path / "a.mp4", pictures)
    data = bytearray(clip.read_bytes())
    half = (data.index(b"mdat") + data.index(b"moov")) // 2
    data[half : half + len(data) // 5] = bytes(len(data) // 5)
    clip.write_bytes(data)
    with fed(str(clip), lossless=True) as found:
        assert found.code == 0
        assert 20 < len(found.keys) < 40
        assert found.stamps_s[-1] == pytest.approx(3.9, abs=0.002)
        assert re.fullmatch(rf"source {clip}: \d+ parts could not be decoded; the others were used", found.errors[0])


def test_time_lapse_waits_for_its_frames(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv", [flat(30 * n) for n in range(3)], rate_hz=0.5)
    with fed(str(clip)) as found:
        assert found.stamps_s == pytest.approx([0, 2, 4], abs=0.002)
        found.require_due()


def test_fast_camera_keeps_its_120_frames_per_second(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mp4", [flat(n) for n in range(60)], rate_hz=120)
    with fed(str(clip), lossless=True) as found:
        assert len(found.keys) == 60
        assert found.stamps_s == pytest.approx([n / 120 for n in range(60)], abs=0.002)


def test_recording_of_a_server_begins_anew_only_where_that_is_wanted(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", [flat(30 * n) for n in range(4)])
    with WebServer(tmp_path) as server, fed(f"{server.url}/a.mp4", loop=True, enough=10) as found:
        assert found.stamps_s == pytest.approx([0.1 * n for n in range(10)], abs=0.05)


def test_recording_of_a_server_can_be_read_without_loss(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", [flat(8 * n) for n in range(30)])
    with WebServer(tmp_path) as server, fed(f"{server.url}/a.mp4", lossless=True) as found:
        assert found.code == 0
        assert found.stamps_s == pytest.approx([0.1 * n for n in range(30)], abs=0.002)


def test_live_stream_is_not_read_without_loss(tmp_path: Path) -> None:
    film = write_clip(tmp_path / "a.ts", [flat(90)] * 10)
    with TcpServer(film.read_bytes()) as server, fed(server.url, lossless=True) as found:
        assert found.code == 1
        assert "is live; lossless is for recordings" in found.errors[0]


def segments(folder: Path, count: int, frames: int) -> list[str]:
    """Write the pieces of a film at 10 frames/s, whose times go on from one to the next."""
    names = []
    for number in range(count):
        start_s = 0.1 * frames * number
        pictures, times_s = [flat(90)] * frames, [start_s + 0.1 * frame for frame in range(frames)]
        names.append(f"s{number}.ts")
        write_clip(folder / names[-1], pictures, times_s=times_s, options={"bf": "0"})
    return names


def test_finished_playlist_is_a_recording(tmp_path: Path) -> None:
    names = segments(tmp_path, 2, 8)
    lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", *(f"#EXTINF:0.8,\n{name}" for name in names), "#EXT-X-ENDLIST"]
    (tmp_path / "a.m3u8").write_text("\n".join(lines))
    times_s = [0.1 * n for n in range(16)]
    with WebServer(tmp_path) as server:
        with fed(f"{server.url}/a.m3u8", lossless=True) as found:
            assert found.code == 0
            assert found.stamps_s == pytest.approx(times_s, abs=0.005)
        with fed(f"{server.url}/a.m3u8") as found:
            assert found.code == 0
            found.require_played(times_s)


def test_segments_of_a_live_playlist_are_played_at_their_pace(tmp_path: Path) -> None:
    names = segments(tmp_path, 8, 20)
    playlist = LivePlaylist(names, 2.0)

    def answer(request: SimpleHTTPRequestHandler) -> bool:
        if request.path != "/live.m3u8":
            return False
        data = playlist.text().encode()
        request.send_response(200)
        request.send_header("Content-Type", "application/vnd.apple.mpegurl")
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)
        return True

    with WebServer(tmp_path, answer) as server, fed(f"{server.url}/live.m3u8", enough=75) as found:
        assert found.errors == []
        steps_s = [later - earlier for earlier, later in pairwise(found.stamps_s)]
        # On a busy machine some are skipped.
        assert [10 * step for step in steps_s] == pytest.approx([round(10 * step) for step in steps_s], abs=0.05)
        assert np.median(steps_s) == pytest.approx(0.1, abs=0.005)
        gaps_s = sorted((later - earlier) / NS_PER_S for earlier, later in pairwise(found.came_ns))
        # One burst, or one gap as long as a segment, would be there ten times a minute.
        assert gaps_s[len(gaps_s) // 10] > 0.05
        assert gaps_s[-1] < 1.5


def mjpeg(pictures: list[bytes], pause_s: float, request: SimpleHTTPRequestHandler) -> bool:
    """Send pictures as web cameras do: parts without a time."""
    request.close_connection = True
    request.send_response(200)
    request.send_header("Content-Type", "multipart/x-mixed-replace; boundary=frame")
    request.end_headers()
    for picture in pictures:
        head = f"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: {len(picture)}\r\n\r\n"
        request.wfile.write(head.encode() + picture + b"\r\n")
        request.wfile.flush()
        time.sleep(pause_s)
    return True


def test_web_camera_without_times_is_stamped_by_arrival(tmp_path: Path) -> None:
    film = write_clip(tmp_path / "a.mjpeg", [flat(90)], codec="mjpeg", pixels="yuvj420p")
    answer = partial(mjpeg, [film.read_bytes()] * 30, 0.2)
    with WebServer(tmp_path, answer) as server, fed(f"{server.url}/video", enough=10) as found:
        steps_s = [later - earlier for earlier, later in pairwise(found.stamps_s[4:])]
        assert min(steps_s) > 0.1  # FFmpeg would say 0.04


def test_recording_that_a_server_breaks_off_is_an_error(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv", list(np.random.default_rng(1).integers(0, 255, (30, 48, 64, 3), np.uint8)))
    clip.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    with WebServer(tmp_path) as server, fed(f"{server.url}/a.mkv", lossless=True) as found:
        assert found.code == 1
        assert f"breaks off after {len(found.keys)} frames" in found.errors[0]
