"""What the cloud asks of its edges, what it says to be safe, and what it hands on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pytest

from privcam_cloud.link.camera_streams import RECORDING_TIMEOUT_S
from privcam_cloud.link.cameras import Cameras
from privcam_cloud.link.edge_queries import FAST_POLL_S, POLL_S
from privcam_cloud.link.session import ReplyHandler
from privcam_core.images.environment import encode_environment, environment_of
from privcam_core.types.omega import Embedding, Omega, PrivacyReport, SyncKey, Verdict
from privcam_link import cdr
from privcam_link.validation import Reason, Rejected
from privcam_link.wire import BacklogQuery, Header, PictureQuery, Query

START = 10**18
QUEUE = f"{1:016x}"
A, B = (encode_environment(np.full((8, 8, 3), level, np.uint8), np.ones((8, 8), np.bool_)) for level in (1, 2))


def whole(frame: int, png: bytes = A, camera: str = "room1") -> Omega:
    key = SyncKey(camera, frame, START + frame)
    z = Embedding("hog-1", (1,), 0.5, b"\x01", 0.25, 1.0)
    return Omega(key, environment_of(key, png, 1), [], z, PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS))


def sent(frame: int, png: bytes = A, *, picture: bool = False, newest: int = 0) -> tuple[Header, bytes]:
    omega = whole(frame, png)
    payload = omega if picture else replace(omega, environment=omega.environment.without_png())
    return Header(frame, 0, QUEUE, max(newest, frame), 0), cdr.encode(payload)


@dataclass
class Asked:
    camera_id: str
    query: Query
    reply: ReplyHandler

    def take(self, header: Header, payload: bytes) -> None:
        self.reply.take(header, payload)

    def ended(self) -> None:
        self.reply.end()

    def send(self, *omegas: tuple[Header, bytes]) -> None:
        for header, payload in omegas:
            picture = isinstance(self.query, PictureQuery)
            self.take(replace(header, total=len(payload)) if picture else header, payload)
        self.ended()


class Bench:
    """Cameras whose clock and edges are in the test's hands."""

    def __init__(self, *, recording: bool, cameras: Sequence[str] = ("room1",)) -> None:
        self.now = 1000.0
        self.asked: list[Asked] = []
        self.max_bytes: list[int] = []  # how much was asked for at once, each time
        self.live: list[tuple[str, int, bytes]] = []
        self.recording: list[tuple[str, int, bytes]] = []
        self.cameras = Cameras(
            cameras,
            "cloud",
            recording=recording,
            sink=self,
            clock=lambda: self.now,
        )
        self.cameras.connect(self)

    def publish_live(self, camera_id: str, omegas: Sequence[Omega]) -> None:
        self.live.extend(self._seen(camera_id, omegas))

    def publish_recording(self, camera_id: str, omegas: Sequence[Omega]) -> None:
        self.recording.extend(self._seen(camera_id, omegas))

    def begin_recording(self, camera_id: str, stamp_ns: int) -> None:
        pass

    def ask(self, camera_id: str, query: Query, reply: ReplyHandler) -> None:
        self.max_bytes.append(query.max_bytes)
        self.asked.append(Asked(camera_id, replace(query, max_bytes=0), reply))

    def tick(self, after_s: float = 0.0) -> list[Query]:
        """Return what is asked for at this tick."""
        self.now += after_s
        before = len(self.asked)
        self.cameras.tick()
        return [asked.query for asked in self.asked[before:]]

    def put(self, *omegas: tuple[Header, bytes], camera: str = "room1") -> None:
        for omega in omegas:
            self.cameras.put(camera, *omega)

    @staticmethod
    def _seen(camera: str, omegas: Sequence[Omega]) -> list[tuple[str, int, bytes]]:
        return [(camera, omega.key.frame_id, omega.environment.png) for omega in omegas]


def started(kept: int = 0) -> Bench:
    """A bench whose edge is there, whose recorder has some, and that has asked for what came after, in vain."""
    bench = Bench(recording=True)
    bench.cameras.start_recording("room1", START + kept if kept else 0)
    bench.cameras.set_alive("room1", True)
    bench.tick()
    bench.asked[-1].ended()
    bench.put(sent(kept + 1, picture=True))
    bench.tick(FAST_POLL_S)
    bench.asked[-1].send(sent(kept + 1))
    bench.live.clear()
    bench.recording.clear()
    return bench


def test_edge_that_comes_is_asked_at_once_for_what_it_kept() -> None:
    bench = Bench(recording=True)
    bench.cameras.start_recording("room1", START + 4)
    assert bench.tick(60.0) == [], "nobody is there"
    bench.cameras.set_alive("room1", True)
    assert bench.tick() == [BacklogQuery("cloud", START + 4, START + 4)]


def test_edge_that_comes_back_is_asked_at_once_though_it_was_just_asked() -> None:
    bench = started()
    bench.tick(POLL_S)
    bench.asked[-1].ended()
    bench.cameras.set_alive("room1", False)
    assert bench.tick(FAST_POLL_S) == []
    bench.cameras.set_alive("room1", True)
    assert bench.tick() == [BacklogQuery("cloud", 0, START + 1)]


def test_nothing_is_asked_for_and_nothing_is_safe_before_the_recorder_has_begun() -> None:
    bench = Bench(recording=True)
    bench.cameras.set_alive("room1", True)
    bench.put(sent(1, picture=True), sent(2))
    assert bench.tick() == [BacklogQuery("cloud", 0, None)]
    assert ([frame for _, frame, _ in bench.live], bench.recording) == ([1, 2], [])


def test_only_what_was_kept_is_acknowledged() -> None:
    bench = started()
    bench.put(sent(2), sent(3))
    assert [frame for _, frame, _ in bench.recording] == [2, 3]
    assert bench.tick(POLL_S) == [BacklogQuery("cloud", 0, START + 3)]
    bench.asked[-1].ended()
    bench.cameras.mark_safe("room1", START + 2)
    bench.put(sent(4))
    assert bench.tick(POLL_S)[0].encode().startswith(f"consumer=cloud;ack={START + 2}")
    bench.asked[-1].ended()
    bench.cameras.mark_safe("room1", START + 1)
    bench.put(sent(5))
    assert bench.tick(POLL_S)[0].encode().startswith(f"consumer=cloud;ack={START + 2}")


def test_edge_is_told_once_per_second_and_asked_only_where_nothing_came() -> None:
    bench = started()
    bench.tick(POLL_S)
    bench.asked[-1].ended()
    queries: list[Query] = []
    for frame in range(2, 22):
        bench.put(sent(frame))
        queries += bench.tick(0.1)
        bench.asked[-1].ended()
    assert queries == [BacklogQuery("cloud", 0, None)] * 2


def test_one_question_at_a_time() -> None:
    bench = started()
    assert len(bench.tick(POLL_S)) == 1
    assert bench.tick(60.0) == []
    bench.asked[-1].ended()
    assert len(bench.tick(0.0)) == 1


def test_long_backlog_is_asked_for_piece_by_piece_in_a_hurry() -> None:
    bench = Bench(recording=True)
    bench.cameras.start_recording("room1", 0)
    bench.cameras.set_alive("room1", True)
    bench.tick()
    bench.asked[-1].send(*(sent(frame, newest=99) for frame in range(1, 4)))
    assert bench.tick(FAST_POLL_S - 0.01) != [BacklogQuery("cloud", 0, START + 3)]
    assert bench.tick(0.02) == [BacklogQuery("cloud", 0, START + 3)]
    assert bench.cameras.diagnostics("room1")["missing"] == 1


def test_gap_in_what_was_put_is_asked_for_in_a_hurry_and_closed_in_order() -> None:
    bench = started()
    bench.put(sent(4))
    assert ([frame for _, frame, _ in bench.live], bench.recording) == ([4], [])
    assert bench.tick(FAST_POLL_S) == [BacklogQuery("cloud", 0, START + 1)]
    bench.asked[-1].send(sent(2), sent(3), sent(4))
    assert bench.recording == [("room1", frame, A) for frame in (2, 3, 4)]
    assert bench.live == [("room1", 4, A)]
    assert bench.cameras.diagnostics("room1")["missing"] == 0


def test_recorder_that_starts_again_gets_everything_after_what_it_has() -> None:
    bench = started()
    bench.put(sent(2), sent(3), sent(4))
    bench.cameras.mark_safe("room1", START + 2)
    bench.recording.clear()
    bench.cameras.start_recording("room1", START + 2)
    assert bench.tick(POLL_S) == [BacklogQuery("cloud", START + 2, START + 2)]
    bench.asked[-1].send(sent(3), sent(4))
    assert [frame for _, frame, _ in bench.recording] == [3, 4]
    assert [frame for _, frame, _ in bench.live] == [2, 3, 4]


def test_cloud_without_a_recorder_wants_no_past_and_what_is_live_is_safe() -> None:
    bench = Bench(recording=False)
    bench.cameras.set_alive("room1", True)
    assert bench.tick() == [BacklogQuery("cloud", 0, None)]
    bench.asked[-1].ended()
    bench.put(sent(7, picture=True))
    assert bench.tick(POLL_S)[0].encode().startswith(f"consumer=cloud;ack={START + 7}")
    bench.asked[-1].ended()
    bench.put(sent(9, newest=10))
    assert bench.tick(FAST_POLL_S) == [BacklogQuery("cloud", START + 9, START + 9)], "10 is there, and was lost"
    assert bench.recording == []


def test_picture_is_asked_for_and_releases_what_waited_in_both_streams() -> None:
    bench = Bench(recording=True)
    bench.cameras.start_recording("room1", 0)
    bench.cameras.set_alive("room1", True)
    bench.put(sent(1))
    assert (bench.live, bench.asked[0].query) == ([], PictureQuery(whole(1).environment.digest))
    bench.tick()
    bench.asked[1].send(sent(1))
    assert (bench.live, bench.recording) == ([], [])
    bench.asked[0].send(sent(1, picture=True))
    bench.tick()
    assert (bench.live, bench.recording) == ([("room1", 1, A)], [("room1", 1, A)])


def test_large_picture_is_asked_for_in_pieces() -> None:
    bench = Bench(recording=False)
    bench.cameras.set_alive("room1", True)
    bench.put(sent(1))
    header, payload = sent(1, picture=True)
    third = len(payload) // 3 + 1
    for at in range(0, len(payload), third):
        one = bench.asked[-1]
        assert one.query == PictureQuery(whole(1).environment.digest, offset=at)
        one.take(replace(header, offset=at, total=len(payload)), payload[at : at + third])
        one.ended()
    bench.tick()
    assert bench.live == [("room1", 1, A)]
    assert all(bench.max_bytes), "no piece is without a limit"


@pytest.mark.parametrize(("at", "more"), [(1, 0), (0, 1)])
def test_piece_that_was_not_asked_for_is_rejected_and_the_picture_asked_for_anew(at: int, more: int) -> None:
    bench = Bench(recording=False)
    bench.cameras.set_alive("room1", True)
    bench.put(sent(1))
    header, payload = sent(1, picture=True)
    with pytest.raises(Rejected) as rejection:
        bench.asked[0].take(replace(header, offset=at, total=len(payload) - more), payload)
    assert rejection.value.reason == Reason.TYPE
    bench.asked[0].ended()
    bench.put(sent(2))
    bench.tick(2.0)
    bench.asked[-1].ended()
    assert bench.asked[1].query == PictureQuery(whole(1).environment.digest)


def test_live_stream_waits_for_a_picture_less_long_than_the_complete_one() -> None:
    bench = started()
    bench.put(sent(2, B))
    bench.tick(1.1)
    assert (bench.live, bench.recording) == ([("room1", 2, b"")], [])
    bench.tick(RECORDING_TIMEOUT_S)
    assert bench.recording == [("room1", 2, b"")]
    assert bench.cameras.diagnostics("room1")["lost_no_picture"] == 2


def test_wrong_picture_is_rejected_and_asked_for_again() -> None:
    bench = Bench(recording=False)
    bench.put(sent(1))
    header, payload = sent(1, picture=True)
    omega = cdr.decode(payload)
    lie = cdr.encode(replace(omega, environment=replace(omega.environment, png=B)))
    with pytest.raises(Rejected) as rejection:
        bench.asked[0].take(replace(header, total=len(lie)), lie)
    assert rejection.value.reason == Reason.DIGEST
    bench.asked[0].ended()
    bench.tick(2.1)
    bench.put(sent(2))
    assert [asked.query for asked in bench.asked] == [PictureQuery(omega.environment.digest)] * 2


def test_other_cameras_are_counted_and_nothing_else() -> None:
    bench = Bench(recording=True)
    bench.cameras.set_alive("room9", True)
    bench.cameras.mark_safe("room9", START)
    bench.cameras.start_recording("room9", START)
    assert (bench.cameras.others, bench.tick(60.0), bench.live) == (1, [], [])


def test_cameras_are_apart() -> None:
    bench = Bench(recording=True, cameras=("room1", "room2"))
    for camera in ("room1", "room2"):
        bench.cameras.start_recording(camera, 0)
        bench.cameras.set_alive(camera, True)
    bench.put(sent(1, picture=True))
    other = whole(1, camera="room2")
    bench.put((Header(1, 0, f"{2:016x}", 1, 0), cdr.encode(other)), camera="room2")
    assert bench.live == [("room1", 1, A), ("room2", 1, A)]
    bench.tick()
    assert {asked.camera_id for asked in bench.asked} == {"room1", "room2"}
    bench.asked[0].send(sent(1))
    assert bench.recording == [("room1", 1, A)]
    # Who names the picture of another camera gets nothing of it.
    bench.put(sent(2, B, picture=True))
    bench.put((Header(2, 0, f"{2:016x}", 2, 0), sent(2, B)[1].replace(b"room1", b"room2")), camera="room2")
    assert [one for one in bench.live if one[1] == 2] == [("room1", 2, B)]
