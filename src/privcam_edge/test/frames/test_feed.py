"""Credit limits the frames in flight; a feed reads a source at its own rate or without loss."""

import os
import threading
import time
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest

from privcam_core.types.omega import SyncKey
from privcam_core.types.stamp_clock import StampClock
from privcam_edge.frames.feed import Credit, Feed
from privcam_edge.frames.frame_reader import FrameReader
from privcam_edge.frames.frame_store import FrameStore
from privcam_edge.frames.ring import FrameSlot, prefix
from privcam_edge.frames.ring_file import SHM
from privcam_edge.frames.source import Spec, parse

CAMERA = f"feedtest{os.getpid()}"
LONG_S = 60.0


def write_video(path: Path, frames: int, rate_hz: int = 100) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), rate_hz, (64, 48))
    for number in range(frames):
        writer.write(np.full((48, 64, 3), 20 * (number % 12), np.uint8))
    writer.release()
    return path


class Graph:
    """Stands for the graph behind the camera: takes frames, and releases their credit if it is `quick`."""

    def __init__(self, credit: Credit, *, quick: bool, enough: int | None = None) -> None:
        self.keys: list[SyncKey] = []
        self.slots: list[FrameSlot] = []
        self.errors: list[str] = []
        self.code: int | None = None
        self.done = threading.Event()
        self.failed = threading.Event()
        self._credit, self._quick, self._enough = credit, quick, enough

    def publish_frame(self, key: SyncKey, slot: FrameSlot) -> None:
        self.keys.append(key)
        self.slots.append(slot)
        if self._quick:
            self._credit.release(key.frame_id)
        if len(self.keys) == self._enough:
            self.done.set()

    def fail(self, text: str) -> None:
        self.errors.append(text)
        self.failed.set()

    def end(self, code: int) -> None:
        self.code = code
        self.done.set()


def run(
    spec: Spec, graph: Graph, credit: Credit, *, lossless: bool = True, loop: bool = False, rate: float = 0.0
) -> Feed:
    """Run a feed until the graph is done with it."""
    store = FrameStore(CAMERA, slots=4, retention_s=LONG_S)
    try:
        feed = Feed(spec, store, credit, graph, StampClock(), lossless=lossless, loop=loop, max_rate_hz=rate)
        feed.start()
        assert graph.done.wait(LONG_S), feed.state
        feed.close()
    finally:
        store.close()
    assert not list(SHM.glob(prefix(CAMERA) + "*"))
    return feed


def test_number_of_frames_in_flight_is_limited() -> None:
    credit = Credit(2, timeout_s=LONG_S)
    assert [credit.acquire(frame_id) for frame_id in (1, 2, 3)] == [True, True, False]
    credit.release(1)
    assert credit.acquire(4)
    assert not credit.acquire(5)


def test_released_frame_releases_all_earlier_ones() -> None:
    credit = Credit(2, timeout_s=LONG_S)
    credit.acquire(1)
    credit.acquire(2)
    credit.release(2)  # 1 was dropped in the graph: it is never released
    assert credit.acquire(3)
    assert credit.acquire(4)


def test_frame_that_is_never_released_frees_its_place_after_the_timeout() -> None:
    credit = Credit(1, timeout_s=0.05)
    assert credit.acquire(1)
    assert credit.acquire(2, wait_s=LONG_S)


def test_wait_for_a_place_ends_when_one_is_released() -> None:
    credit = Credit(1, timeout_s=LONG_S)
    credit.acquire(1)
    waiter = threading.Thread(target=lambda: credit.acquire(2, wait_s=LONG_S))
    waiter.start()
    credit.release(1)
    waiter.join(LONG_S / 2)
    assert not waiter.is_alive()
    assert not credit.acquire(3)


@pytest.mark.parametrize("quick", [True, False])
def test_lossless_feed_skips_no_frame(tmp_path: Path, quick: bool) -> None:
    credit = Credit(3, timeout_s=LONG_S if quick else 0.05)
    graph = Graph(credit, quick=quick)
    feed = run(parse(str(write_video(tmp_path / "a.avi", 10))), graph, credit)
    assert [key.frame_id for key in graph.keys] == list(range(1, 11))
    assert feed.counts["skipped"] == 0
    assert (graph.code, feed.state, graph.errors) == (0, "ended", [])
    steps = np.diff([key.stamp_ns for key in graph.keys])
    assert set(steps) == {10**7}  # the time of the video, however fast it was read


def test_in_real_time_frames_without_a_place_are_skipped_and_counted(tmp_path: Path) -> None:
    credit = Credit(2, timeout_s=2.0)  # ten times as long as the video: nothing comes back while it runs
    graph = Graph(credit, quick=False)
    feed = run(parse(str(write_video(tmp_path / "a.avi", 20))), graph, credit, lossless=False)
    assert len(graph.keys) == 2
    assert feed.counts["skipped"] == 18
    assert graph.code == 0


def test_kappa_increases_over_every_round_of_a_loop(tmp_path: Path) -> None:
    credit = Credit(3, timeout_s=LONG_S)
    graph = Graph(credit, quick=True, enough=25)
    run(parse(str(write_video(tmp_path / "a.avi", 10))), graph, credit, loop=True)
    assert len(graph.keys) >= 25
    for earlier, later in zip(graph.keys, graph.keys[1:], strict=False):
        assert later.frame_id == earlier.frame_id + 1
        assert later.stamp_ns > earlier.stamp_ns


@pytest.mark.parametrize("hours", [-5, -0.5, 0.5, 5])
def test_clock_that_is_set_changes_no_order_of_a_live_source(tmp_path: Path, hours: float) -> None:
    hour_ns = 3600 * 10**9
    set_ns = 0
    credit = Credit(3, timeout_s=LONG_S)
    graph = Graph(credit, quick=True, enough=40)
    # A stream that ends is opened again: 40 frames are several rounds of this one.
    stream = Spec("stream", str(write_video(tmp_path / "a.avi", 15)))
    store = FrameStore(CAMERA, slots=4, retention_s=LONG_S)
    clock = StampClock(wall=lambda: time.time_ns() + set_ns)
    try:
        feed = Feed(stream, store, credit, graph, clock, lossless=False, loop=False, max_rate_hz=0.0)
        feed.start()
        assert graph.failed.wait(LONG_S)  # at the end of the first round
        set_ns = round(hours * hour_ns)
        assert graph.done.wait(LONG_S), feed.state
        feed.close()
    finally:
        store.close()
    found = [key.stamp_ns for key in graph.keys]
    assert all(earlier < later for earlier, later in pairwise(found))
    assert found[-1] - found[0] < hour_ns // 4
    assert abs(clock.offset_s() - 3600 * hours) < 1


def test_frame_rate_can_be_limited(tmp_path: Path) -> None:
    credit = Credit(3, timeout_s=LONG_S)
    graph = Graph(credit, quick=True)
    feed = run(
        parse(str(write_video(tmp_path / "a.avi", 50))), graph, credit, lossless=False, rate=10.0
    )  # 0.5 s of video
    assert len(graph.keys) <= 7
    assert feed.counts["over_rate"] > 0


def test_camera_that_is_not_there_is_reported_and_does_not_end_the_feed() -> None:
    credit = Credit(3, timeout_s=LONG_S)
    graph = Graph(credit, quick=True)

    store = FrameStore(CAMERA, slots=4, retention_s=LONG_S)
    try:
        feed = Feed(parse("97"), store, credit, graph, StampClock(), lossless=False, loop=False, max_rate_hz=0.0)
        feed.start()
        assert graph.failed.wait(LONG_S)
        feed.close()
    finally:
        store.close()
    assert "no such camera" in graph.errors[0]
    assert "next attempt in" in graph.errors[0]
    assert feed.state.startswith("lost: ")
    assert graph.code is None


def test_larger_frames_get_a_new_memory_and_the_old_one_is_removed() -> None:
    store = FrameStore(CAMERA, slots=4, retention_s=LONG_S)
    reader = FrameReader()
    try:
        _, small = store.put(np.full((48, 64, 3), 7, np.uint8), 1, 10**9)
        key, large = store.put(np.full((96, 64, 3), 8, np.uint8), 2, 2 * 10**9)
        assert key == SyncKey(CAMERA, 2, 2 * 10**9)
        assert small.ring != large.ring
        assert not (SHM / small.ring).exists()
        with reader.read(key, large) as image:
            assert image.shape == (96, 64, 3)
            assert (image == 8).all()
        _, again = store.put(np.full((48, 64, 3), 9, np.uint8), 3, 3 * 10**9)
        assert again.ring == large.ring
    finally:
        reader.close()
        store.close()
