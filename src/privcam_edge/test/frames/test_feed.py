"""Credit limits the frames in flight; a feed reads a source at its own rate or without loss."""

import os
import threading
import time
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from video_files import flat, write_clip
from video_servers import TcpServer

from privcam_core.types.omega import SyncKey
from privcam_core.types.stamp_clock import StampClock
from privcam_edge.frames.credit import Credit
from privcam_edge.frames.feed import Feed
from privcam_edge.frames.frame_reader import FrameReader
from privcam_edge.frames.frame_store import FrameStore
from privcam_edge.frames.loss_explanation import CHAIN, LossExplainer
from privcam_edge.frames.ring import FrameSlot, prefix
from privcam_edge.frames.ring_file import SHM
from privcam_sources.source_spec import Spec, parse

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

    def __init__(self, credit: Credit, *, quick: bool, enough: int | None = None, loses: tuple[int, ...] = ()) -> None:
        self.keys: list[SyncKey] = []
        self.slots: list[FrameSlot] = []
        self.errors: list[str] = []
        self.code: int | None = None
        self.done = threading.Event()
        self.failed = threading.Event()
        self._credit, self._quick, self._enough, self._loses = credit, quick, enough, loses

    def publish_frame(self, key: SyncKey, slot: FrameSlot) -> None:
        self.keys.append(key)
        self.slots.append(slot)
        if self._quick and key.frame_id not in self._loses:
            self._credit.release(key.frame_id)
        if len(self.keys) == self._enough:
            self.done.set()

    def explain_loss(self) -> str:
        return "pose failed"

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


def test_graph_that_loses_frames_gets_one_at_a_time_and_more_as_soon_as_it_is_quick() -> None:
    """Three at once would outlive their pixels for ever on a slow machine: nothing would arrive."""
    credit = Credit(3, timeout_s=0.2)
    assert all(credit.acquire(frame_id) for frame_id in (1, 2, 3))
    assert credit.acquire(4, wait_s=LONG_S)  # the others have timed out
    assert credit.limit == 1
    credit.release(4)
    assert credit.limit == 2
    credit.acquire(5)
    credit.release(5)
    assert credit.limit == 3


def test_frame_that_was_not_sent_frees_its_place_and_says_nothing_of_the_speed_of_the_graph() -> None:
    credit = Credit(3, timeout_s=0.2)
    credit.acquire(1)
    assert credit.acquire(2, wait_s=LONG_S) and credit.acquire(3, wait_s=LONG_S) and credit.acquire(4, wait_s=LONG_S)
    assert credit.limit == 1
    credit.cancel(4)
    assert credit.limit == 1
    assert credit.acquire(5)


def test_frames_that_take_long_become_fewer_before_one_is_lost() -> None:
    credit = Credit(3, timeout_s=LONG_S)
    credit._max_s = 0.0  # every frame takes longer
    for frame_id in (1, 2, 3):
        credit.acquire(frame_id)
        credit.release(frame_id)
    assert credit.limit == 1


def test_wait_for_a_place_ends_when_one_is_released() -> None:
    credit = Credit(1, timeout_s=LONG_S)
    credit.acquire(1)
    waiter = threading.Thread(target=lambda: credit.acquire(2, wait_s=LONG_S))
    waiter.start()
    credit.release(1)
    waiter.join(LONG_S / 2)
    assert not waiter.is_alive()
    assert not credit.acquire(3)


def test_lossless_feed_skips_no_frame(tmp_path: Path) -> None:
    credit = Credit(3, timeout_s=LONG_S, lossless=True)
    graph = Graph(credit, quick=True)
    feed = run(parse(str(write_video(tmp_path / "a.avi", 10))), graph, credit)
    assert [key.frame_id for key in graph.keys] == list(range(1, 11))
    assert feed.counts["skipped"] == 0
    assert (graph.code, feed.state, graph.errors) == (0, "ended", [])
    steps = np.diff([key.stamp_ns for key in graph.keys])
    assert set(steps) == {10**7}  # the time of the video, however fast it was read


@pytest.mark.parametrize("lost", [1, 3, 10])
def test_lossless_feed_repeats_the_only_picture_in_the_graph_where_it_is_lost(
    tmp_path: Path, lost: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("privcam_edge.frames.credit._GRACE_S", 0.1)
    credit = Credit(1, timeout_s=0.05, lossless=True)
    graph = Graph(credit, quick=True, loses=(lost,))
    feed = run(parse(str(write_video(tmp_path / "a.avi", 10))), graph, credit)
    assert (graph.code, graph.errors) == (0, [])
    assert [key.frame_id for key in graph.keys] == list(range(1, 12))
    assert (graph.keys[lost].stamp_ns - graph.keys[lost - 1].stamp_ns) == 1
    assert feed.counts["repeated"] == 1


@pytest.mark.parametrize("lost", [3, 10])
def test_lossless_feed_fails_where_the_graph_loses_a_picture_again_and_again_and_names_the_node(
    tmp_path: Path, lost: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("privcam_edge.frames.credit._GRACE_S", 0.1)
    credit = Credit(1, timeout_s=0.05, lossless=True)
    graph = Graph(credit, quick=True, loses=tuple(range(lost, lost + 10)))
    feed = run(parse(str(write_video(tmp_path / "a.avi", 10))), graph, credit)
    assert graph.code == 1
    assert graph.errors == [f"failed: the graph lost frame {lost + 3}: pose failed"]
    assert feed.state == graph.errors[0]


def test_lossless_graph_holds_fewer_frames_where_they_take_long(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 100.0
    monkeypatch.setattr("privcam_edge.frames.credit.time.monotonic", lambda: now_s)
    credit, held = Credit(3, timeout_s=1.0, lossless=True), []
    for frame_id, lasts_s in enumerate((0.1, 0.1, 0.1, 0.8, 0.8, 0.3), start=1):
        held.append(sum(credit.acquire(1000 * frame_id + number) for number in range(5)))
        now_s += lasts_s
        credit.release(1000 * frame_id)
        for number in range(1, 5):
            credit._out.pop(1000 * frame_id + number, None)
    assert held == [1, 2, 3, 3, 2, 1]


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
    film = write_clip(tmp_path / "a.ts", [flat(20 * (number % 12)) for number in range(15)], rate_hz=100)
    store = FrameStore(CAMERA, slots=4, retention_s=LONG_S)
    clock = StampClock(wall=lambda: time.time_ns() + set_ns)
    try:
        with TcpServer(film.read_bytes()) as server:
            feed = Feed(parse(server.url), store, credit, graph, clock, lossless=False, loop=False, max_rate_hz=0.0)
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


def test_loss_is_put_down_to_the_first_node_with_a_fault() -> None:
    losses = LossExplainer()
    assert losses.explain().startswith("no node has reported anything yet")
    for node in CHAIN:
        losses.note(node, "working", {"frames": "9"})
    losses.note("omega", "working", {"frames": "5", "dropped": "4"})
    assert losses.explain().startswith("omega handled only 5 frames")
    losses.note("tracker", "working", {"frames": "5", "overwritten": "4"})
    assert losses.explain().startswith("tracker came too late to 4 frames, which were overwritten")
    losses.note("detector", "frames: frame 4 dropped: ValueError", {"frames": "8", "errors": "1"})
    assert losses.explain() == "detector failed: frames: frame 4 dropped: ValueError"
