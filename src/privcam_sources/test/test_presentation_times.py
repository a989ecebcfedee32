"""Times of frames are those of the video, at whatever rate, and a recording is as long as its picture."""

from collections.abc import Sequence
from contextlib import closing
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
from video_files import flat, write_clip

from privcam_core.types.time import NS_PER_S
from privcam_sources.errors import SourceEnded, SourceTorn
from privcam_sources.source_spec import parse
from privcam_sources.timing.live_timeline import LiveTimeline
from privcam_sources.timing.presentation_time import PresentationTime
from privcam_sources.video_source import open_source

FLAT = [flat(20 * number) for number in range(10)]
NOISE = list(np.random.default_rng(1).integers(0, 255, (40, 48, 64, 3), np.uint8))


def read_all(clip: Path) -> tuple[list[float], Exception]:
    """Return the times in s of all frames, and what came after them."""
    times: list[float] = []
    with closing(open_source(parse(str(clip)))) as source:
        try:
            while True:
                frame = source.read()
                assert frame.time_ns is not None
                times.append(round(frame.time_ns / NS_PER_S, 3))
        except (SourceEnded, SourceTorn) as end:
            return times, end


@pytest.mark.parametrize(
    ("times_s", "rate_hz"),
    [
        ([0, 0.1, 0.5, 0.51, 3.0, 3.04], 10.0),  # a variable rate: its mean says nothing
        ([0, 10, 20, 30], 0.1),  # a time lapse
        ([0, 2.5, 5.0], 0.4),
        ([0, 0.25, 0.5], 4.0),
        ([0, 0.008, 0.017, 0.025, 0.033], 120.0),
    ],
)
@pytest.mark.parametrize("container", ["mp4", "mkv", "ts"])
def test_times_are_those_of_the_video(tmp_path: Path, times_s: Sequence[float], rate_hz: float, container: str) -> None:
    clip = write_clip(tmp_path / f"a.{container}", FLAT[: len(times_s)], times_s=times_s, rate_hz=rate_hz)
    found, end = read_all(clip)
    assert found == pytest.approx(times_s, abs=0.002)
    assert isinstance(end, SourceEnded)


def test_nominal_rate_of_a_time_lapse_and_of_a_fast_camera_are_believed(tmp_path: Path) -> None:
    for rate_hz in (0.4, 120.0):
        clip = write_clip(tmp_path / f"{rate_hz}.mkv", FLAT, rate_hz=rate_hz)
        with closing(open_source(parse(str(clip)))) as source:
            assert source.rate_hz == pytest.approx(rate_hz, rel=0.05)


def test_video_without_times_has_those_of_its_nominal_rate(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "raw.h264", FLAT)
    found, _ = read_all(clip)
    assert found == pytest.approx([0.04 * number for number in range(10)])
    with closing(open_source(parse(str(clip)))) as source:
        assert not source.info.timestamps


@pytest.mark.parametrize("container", ["mp4", "mkv", "ts", "flv"])
def test_recording_whose_sound_goes_on_after_the_picture_is_whole(tmp_path: Path, container: str) -> None:
    found, end = read_all(write_clip(tmp_path / f"a.{container}", FLAT, audio_s=8.0))
    assert len(found) == 10
    assert isinstance(end, SourceEnded)


def test_recording_that_lacks_only_sound_is_whole(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "a.mkv", FLAT, audio_s=8.0)
    clip.write_bytes(clip.read_bytes()[: int(0.8 * clip.stat().st_size)])
    found, end = read_all(clip)
    assert len(found) == 10
    assert isinstance(end, SourceEnded)


@pytest.mark.parametrize(
    ("name", "codec", "audio_s"),
    [("a.mkv", "libx264", 0.0), ("a.mkv", "libx264", 4.0), ("a.mp4", "libx264", 0.0), ("a.avi", "mjpeg", 0.0)],
)
def test_torn_recording_gives_what_is_there_and_says_how_much(
    tmp_path: Path, name: str, codec: str, audio_s: float
) -> None:
    front = {"movflags": "faststart"} if name.endswith("mp4") else {}
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    clip = write_clip(tmp_path / name, NOISE, codec=codec, pixels=pixels, audio_s=audio_s, container=front)
    data = clip.read_bytes()
    clip.write_bytes(data[: int(0.4 * len(data))])
    found, end = read_all(clip)
    assert 5 < len(found) < 30
    assert isinstance(end, SourceTorn)
    assert f"breaks off after {len(found)} frames" in str(end)


def holed(clip: Path, begin: float, end: float) -> Path:
    """Overwrite a part of the pictures of an MP4 file with zeros, as a memory card with a fault has it."""
    data = bytearray(clip.read_bytes())
    first, last = data.index(b"mdat") + 4, data.index(b"moov")
    start, stop = (first + int(part * (last - first)) for part in (begin, end))
    data[start:stop] = bytes(stop - start)
    clip.write_bytes(data)
    return clip


@pytest.mark.parametrize("part", [(0.1, 0.2), (0.4, 0.6), (0.7, 0.95)])
@pytest.mark.parametrize(("codec", "group"), [("libx264", "20"), ("libx264", "250"), ("mpeg4", "20")])
def test_hole_in_the_data_changes_no_time_behind_it(
    tmp_path: Path, codec: str, group: str, part: tuple[float, float]
) -> None:
    clip = write_clip(tmp_path / "a.mp4", NOISE[:40] + NOISE[:20], codec=codec, options={"g": group})
    found, end = read_all(holed(clip, *part))
    assert isinstance(end, SourceEnded)
    assert 30 < len(found) < 60
    assert [round(10 * time_s) / 10 for time_s in found] == pytest.approx(found, abs=0.003)
    assert found == sorted(set(found))
    assert found[-1] == pytest.approx(5.9, abs=0.003)


def write_avi(path: Path) -> Path:
    """Write 160 pictures as OpenCV does, with the index behind them."""
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for picture in NOISE * 4:
        writer.write(picture)
    writer.release()
    return path


@pytest.mark.parametrize("group", ["5", "250"])
@pytest.mark.parametrize("container", ["mp4", "mkv", "avi"])
@pytest.mark.parametrize("kept", [0.55, 0.92, 0.97])
def test_recording_whose_end_is_missing_is_torn_and_says_so(
    tmp_path: Path, container: str, kept: float, group: str
) -> None:
    """Also where the last frame that is there is shown after some that are not (group 250, with B-frames)."""
    clip, options = tmp_path / f"a.{container}", {"movflags": "faststart"} if container == "mp4" else {}
    if container == "avi":
        write_avi(clip)
    else:
        write_clip(clip, NOISE * 4, container=options, options={"g": group, "bf": "8" if group == "250" else "2"})
    found, end = read_all(clip)
    assert (len(found), type(end)) == (160, SourceEnded)
    data = clip.read_bytes()
    clip.write_bytes(data[: int(kept * (data.rindex(b"idx1") if container == "avi" else len(data)))])
    found, end = read_all(clip)
    assert len(found) == pytest.approx(160 * kept, abs=8)
    assert isinstance(end, SourceTorn)
    assert f"breaks off after {len(found)} frames ({found[-1] + 0.1:.1f} of 16.0 s, its end is missing)" in str(end)


def test_times_go_on_where_two_recordings_were_joined(tmp_path: Path) -> None:
    parts = [write_clip(tmp_path / f"{number}.ts", FLAT[:5]).read_bytes() for number in range(2)]
    clip = tmp_path / "joined.ts"
    clip.write_bytes(b"".join(parts))
    found, _ = read_all(clip)
    assert found == pytest.approx([0.1 * number for number in range(10)])


def test_missing_and_repeated_stamps_go_on_at_the_nominal_rate() -> None:
    clock = PresentationTime(100, max_gap_ns=1000)
    assert [clock.follow(pts) for pts in (5000, 5100, None, 5300, 5300, 400, 500)] == [0, 100, 200, 300, 350, 450, 550]
    assert (clock.jumps, clock.missing) == (2, 1)
    assert [clock.follow(pts) for pts in (1400, 9000, 9250)] == [1450, 1550, 1800]


def test_repeated_stamp_makes_the_time_no_longer_than_that_of_the_stream() -> None:
    ms = 10**6
    clock = PresentationTime(100 * ms)
    found = [clock.follow(pts * ms) for pts in (0, 100, 100, 200, 300, 300, 400, 500)]
    assert [round(time_ns / ms) for time_ns in found] == [0, 100, 150, 200, 300, 350, 400, 500]


def test_stamp_that_never_changes_is_replaced_by_the_nominal_rate() -> None:
    clock = PresentationTime(100)
    assert [clock.follow(7) for _ in range(50)] == [0, *(50 + 100 * number for number in range(49))]


def test_frames_of_an_avi_file_that_are_shown_in_another_order_have_the_times_of_their_order(tmp_path: Path) -> None:
    """AVI has no presentation times: the reader would get those of the order in which frames are decoded."""
    clip = write_clip(tmp_path / "a.ts", NOISE, options={"g": "20", "bf": "3"})
    with av.open(str(clip)) as source, av.open(str(tmp_path / "a.avi"), "w") as target:
        video = target.add_stream_from_template(source.streams.video[0])
        video.time_base = Fraction(1, 10)
        for number, packet in enumerate(packet for packet in source.demux() if packet.size):
            packet.stream, packet.time_base = video, Fraction(1, 10)
            packet.pts = packet.dts = number
            target.mux(packet)
    found, end = read_all(tmp_path / "a.avi")
    assert isinstance(end, SourceEnded)
    assert found == pytest.approx([0.1 * number for number in range(40)], abs=0.001)


def test_live_frame_that_the_network_held_back_has_the_time_of_its_capture() -> None:
    timeline, ms = LiveTimeline(), 10**6
    arrivals = [(40 * n, 40 * n + delay) for n, delay in enumerate((0, 3, 0, 35, 2, 900, 860, 820, 0, 4))]
    found = [timeline.capture_ns(at * ms, (came + 10_000) * ms) for at, came in arrivals]
    assert [round(time_ns / ms) - 10_000 for time_ns in found if time_ns is not None] == [40 * n for n in range(10)]


def test_frames_that_were_buffered_while_a_stream_was_opened_are_not_live() -> None:
    timeline, ms = LiveTimeline(), 10**6
    burst = [timeline.capture_ns(40 * n * ms, (1000 + n) * ms) for n in range(25)]
    assert burst[0] == 1000 * ms
    assert burst[1:] == [None] * 24
    live = [timeline.capture_ns(40 * n * ms, (1025 + 40 * (n - 24)) * ms) for n in range(25, 35)]
    assert None not in live
    assert set(np.diff([one for one in live if one is not None])) == {40 * ms}


def test_no_live_frame_is_later_than_its_arrival_and_a_clock_that_jumps_is_followed() -> None:
    timeline, second = LiveTimeline(), NS_PER_S
    timeline.capture_ns(0, 100 * second)
    for at, came in ((1, 101), (2, 102), (3600, 103), (3601, 104), (0, 105), (1, 106), (2, 107)):
        found = timeline.capture_ns(at * second, came * second)
        assert found is None or came - 11 <= found / second <= came
