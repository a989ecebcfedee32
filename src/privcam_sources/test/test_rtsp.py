"""Streams of a real RTSP server: what comes, when, and what is said when it does not come any more."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from rtsp_server import NoServer, RtspServer, camera, installed
from video_files import flat, write_clip

from privcam_core.source_credentials import Credentials
from privcam_core.types.time import NS_PER_S, boottime_ns
from privcam_sources.errors import SourceError, SourceLost
from privcam_sources.source_spec import parse
from privcam_sources.timing.live_timeline import LiveTimeline
from privcam_sources.video_source import OpenOptions, VideoSource, open_source

FILM_HZ = 25
SOON = OpenOptions(open_s=10.0, read_s=2.0)


@pytest.fixture(scope="module", autouse=True)
def server_is_there() -> None:
    try:
        installed()
    except NoServer as reason:
        pytest.skip(str(reason))


def write_film(path: Path, codec: str = "libx264", *, level: int = 90, size: tuple[int, int] = (64, 48)) -> Path:
    """Write ten seconds in which no frame needs a later one, as cameras send them."""
    options = {"bf": "0", "x265-params": "log-level=none:bframes=0:keyint=5"}
    pictures = [flat(level + number % 5, size) for number in range(10 * FILM_HZ)]
    return write_clip(path, pictures, rate_hz=FILM_HZ, codec=codec, options=options)


@pytest.fixture
def h264(tmp_path: Path) -> Path:
    return write_film(tmp_path / "film.ts")


def read(source: VideoSource, count: int) -> list[tuple[int, tuple[int, ...]]]:
    """Return the time in ns and the size of `count` frames. The first one has no time yet."""
    frames = [source.read() for _ in range(count)]
    return [(frame.time_ns or 0, frame.image.shape) for frame in frames]


@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_stream_is_live_and_has_the_times_of_the_camera(h264: Path, transport: str) -> None:
    with RtspServer({"/cam": camera(h264)}) as server:
        spec = parse(f"RTSP://127.0.0.1:{server.port}/cam")
        with closing(open_source(spec, OpenOptions(transport=transport, open_s=10.0))) as source:
            assert (source.ends, source.paced) == (False, False)
            timeline, stamps = LiveTimeline(), []
            for _ in range(70):
                frame = source.read()
                arrived_ns = boottime_ns()
                stamp_ns = timeline.capture_ns(frame.time_ns, arrived_ns) if frame.time_ns is not None else None
                stamps += [stamp_ns] if stamp_ns is not None else []
            assert source.info.codec == "h264"
    steps_ms = [(later - earlier) / 1e6 for earlier, later in pairwise(stamps)]
    assert len(stamps) > 30
    # Later, when what the server held back for the new reader has been caught up with.
    assert np.median(steps_ms[-25:]) == pytest.approx(40, abs=1)
    assert min(steps_ms) > 0


def test_h265_is_read_and_sound_is_not_asked_for(tmp_path: Path) -> None:
    clip = write_film(tmp_path / "film5.ts", "libx265")
    with (
        RtspServer({"/cam": camera(clip, "h265", sound=True)}) as server,
        closing(open_source(parse(f"{server.url}/cam"), SOON)) as source,
    ):
        assert {shape for _, shape in read(source, 20)} == {(48, 64, 3)}
        assert (source.info.codec, source.info.audio) == ("hevc", False)


def test_resolution_that_changes_on_the_way_changes_the_pictures(tmp_path: Path) -> None:
    both = tmp_path / "both.ts"
    for number, (level, size) in enumerate(((60, (64, 48)), (180, (128, 96)))):
        pictures, times_s = [flat(level, size)] * 50, [2.0 * number + 0.04 * frame for frame in range(50)]
        part = write_clip(tmp_path / "part.ts", pictures, rate_hz=FILM_HZ, times_s=times_s, options={"bf": "0"})
        both.write_bytes((both.read_bytes() if number else b"") + part.read_bytes())
    with (
        RtspServer({"/cam": camera(both)}) as server,
        closing(open_source(parse(f"{server.url}/cam"), SOON)) as source,
    ):
        pictures = [source.read().image for _ in range(75)]
    assert {picture.shape for picture in pictures} == {(48, 64, 3), (96, 128, 3)}
    for picture in pictures:
        assert abs(float(picture.mean()) - (60 if picture.shape[0] == 48 else 180)) < 10
        assert np.ptp(picture) < 40


def test_server_that_stops_is_lost_and_another_codec_is_read_from_its_successor(tmp_path: Path, h264: Path) -> None:
    with RtspServer({"/cam": camera(h264)}) as server:
        spec = parse(f"{server.url}/cam")
        with closing(open_source(spec, SOON)) as source:
            read(source, 5)
            server.stop()
            with pytest.raises(SourceLost, match=r"^source rtsp://127\.0\.0\.1:\d+: "):
                read(source, 1000)
    with pytest.raises(SourceError, match="the connection was refused"):
        open_source(spec, SOON)
    clip = write_film(tmp_path / "film5.ts", "libx265")
    with (
        RtspServer({"/cam": camera(clip, "h265")}, port=server.port),
        closing(open_source(spec, SOON)) as source,
    ):
        read(source, 5)
        assert source.info.codec == "hevc"


class Link:
    """A network between reader and server, which can be cut without a word."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.cut = threading.Event()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                near, _ = self._socket.accept()
                far = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._relay, args=(one, other), daemon=True).start()

    def _relay(self, one: socket.socket, other: socket.socket) -> None:
        try:
            while data := one.recv(65536):
                if not self.cut.is_set():
                    other.sendall(data)
        except OSError:
            pass  # an end was closed
        finally:
            other.close()

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def link(h264: Path) -> Iterator[Link]:
    with RtspServer({"/cam": camera(h264)}) as server:
        one = Link(server.port)
        yield one
        one.close()


def test_link_that_falls_silent_is_lost_after_the_time_for_a_frame(link: Link) -> None:
    with closing(open_source(parse(f"rtsp://127.0.0.1:{link.port}/cam"), SOON)) as source:
        read(source, 5)
        link.cut.set()
        began = time.monotonic()
        with pytest.raises(SourceLost, match="no answer within 2 s"):
            read(source, 1000)
        assert time.monotonic() - began < 10 * SOON.read_s
    link.cut.clear()
    with closing(open_source(parse(f"rtsp://127.0.0.1:{link.port}/cam"), SOON)) as source:
        read(source, 5)


def test_camera_that_wants_a_password_gets_it_and_says_what_is_wrong_without(h264: Path) -> None:
    right, wrong = Credentials("nurse@ward", "Geh/31m@:?#&%="), Credentials("nurse@ward", "Geh")
    with RtspServer({"/cam": camera(h264)}, user=right.user, password=right.password) as server:
        with closing(open_source(parse(f"{server.url}/cam", right), SOON)) as source:
            read(source, 2)
        for credentials in (None, wrong):
            with pytest.raises(SourceError, match=r"wants a user and a password, or other ones \(401\)") as raised:
                open_source(parse(f"{server.url}/cam", credentials), SOON)
            assert "Geh" not in str(raised.value)


def test_path_that_is_not_there_is_called_so(h264: Path) -> None:
    with (
        RtspServer({"/cam": camera(h264)}) as server,
        pytest.raises(SourceError, match=r"there is no such stream on this host \(404\); check the path"),
    ):
        open_source(parse(f"{server.url}/other"), SOON)


def test_times_of_a_stream_begin_at_zero_and_are_those_of_the_server(h264: Path) -> None:
    with (
        RtspServer({"/cam": camera(h264)}) as server,
        closing(open_source(parse(f"{server.url}/cam"), SOON)) as source,
    ):
        began = time.monotonic()
        times = [time_ns for time_ns, _ in read(source, 50)]
        took_s = time.monotonic() - began
    assert times[0] == 0
    assert times[-1] == pytest.approx(49 / FILM_HZ * NS_PER_S, rel=0.05)
    assert took_s < 10
