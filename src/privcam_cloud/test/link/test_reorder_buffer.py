"""However Ω come, live ones are always newer, and complete ones are all that the edge still had, once, in order."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from privcam_cloud.link.reorder_buffer import HELD, RECENT, Arrived, Intake, Lost
from privcam_core.images.environment import encode_environment, environment_of
from privcam_core.types.omega import Embedding, Omega, PrivacyReport, SyncKey, Verdict
from privcam_link import cdr
from privcam_link.delta_compression import compress
from privcam_link.validation import Reason, Rejected
from privcam_link.wire import Header

START = 10**18
PNG = encode_environment(np.full((4, 4, 3), 90, np.uint8), np.ones((4, 4), np.bool_))
ENVIRONMENT = environment_of(SyncKey("room1", 1, 1), PNG, 1)
PASS = PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS)
Z = Embedding("hog-1", (16,), 0.5, bytes(16), 0.25, 1.0)


def whole(frame: int) -> Omega:
    key = SyncKey("room1", frame, START + frame)
    z = replace(Z, data=bytes([frame // 5 % 100]) * len(Z.data))  # as before, for a while
    return Omega(key, replace(ENVIRONMENT, key=key), [], z, PASS)


def bare(frame: int) -> bytes:
    omega = whole(frame)
    return cdr.encode(replace(omega, environment=omega.environment.without_png()))


@dataclass
class Edge:
    """The queue of an edge and the form in which it sends. A row: number and frame."""

    queue: int = 1
    rows: list[tuple[int, int]] = field(default_factory=list)
    frame: int = 0
    newest: int = 0
    lost: int = 0
    before: tuple[int, int] | None = None

    def put(self, *, plain: bool = False) -> tuple[Header, bytes]:
        """Return the next Ω as it is sent at once."""
        self.frame += 1
        self.newest += 1
        row, before = (self.newest, self.frame), None if plain else self.before
        self.rows.append(row)
        self.before = row
        return self._sent(row, before)

    def answer(self, after_ns: int, limit: int) -> list[tuple[Header, bytes]]:
        rows = [row for row in self.rows if START + row[1] > after_ns][:limit]
        return [self._sent(row, rows[place - 1] if place else None) for place, row in enumerate(rows)]

    def begin(self) -> None:
        """Have another queue, as after the old one was found broken."""
        self.queue += 1
        self.rows, self.newest, self.lost, self.before = [], 0, 0, None

    def _sent(self, row: tuple[int, int], before: tuple[int, int] | None) -> tuple[Header, bytes]:
        if before is None:
            return Header(row[0], 0, f"{self.queue:016x}", self.newest, self.lost), bare(row[1])
        return Header(row[0], before[0]), compress(bare(row[1]), bare(before[1]))


def frames(omegas: Sequence[Omega]) -> list[int]:
    return [omega.key.frame_id for omega in omegas]


def put(intake: Intake, *sent: tuple[Header, bytes]) -> tuple[list[int], list[int]]:
    """Return the frames that some Ω bring for the live and for the complete stream."""
    return both([intake.put(*one) for one in sent])


def ask(intake: Intake, edge: Edge, limit: int = 10**6) -> tuple[list[int], list[int]]:
    """Return what the answer to a question for what is missing brings."""
    answer = intake.answer(intake.wanted_after_ns)
    return both([answer.take(*one) for one in edge.answer(intake.wanted_after_ns, limit)])


def both(arrived: Sequence[Arrived]) -> tuple[list[int], list[int]]:
    live = [frame for one in arrived for frame in frames(one.live)]
    return live, [frame for one in arrived for frame in frames(one.complete)]


def begun(edge: Edge, after: int = 0) -> Intake:
    """An intake whose complete stream goes on behind a frame, and has all that the edge has."""
    intake = Intake("room1")
    intake.complete_from(START + after if after else 0)
    ask(intake, edge)
    return intake


def test_without_a_keeper_there_is_only_the_live_stream() -> None:
    edge, intake = Edge(), Intake("room1")
    assert put(intake, edge.put(), edge.put(), edge.put()) == ([1, 2, 3], [])
    assert (intake.complete_ns, intake.newest_ns, intake.missing) == (None, START + 3, False)


def test_complete_stream_begins_with_the_first_answer_and_goes_on_with_what_is_put() -> None:
    edge, intake = Edge(), Intake("room1")
    intake.complete_from(0)
    assert put(intake, edge.put(), edge.put()) == ([1, 2], [])
    assert (intake.missing, intake.wanted_after_ns) == (True, 0)
    assert ask(intake, edge) == ([], [1, 2])
    assert not intake.missing
    assert put(intake, edge.put(), edge.put()) == ([3, 4], [3, 4])


def test_live_stream_does_not_wait_for_what_was_lost_and_the_complete_one_does() -> None:
    edge = Edge()
    edge.put()
    intake = begun(edge)
    edge.put()
    late = edge.put(plain=True)
    assert put(intake, late, edge.put()) == ([3, 4], [])
    assert (intake.missing, intake.wanted_after_ns) == (True, START + 1)
    assert ask(intake, edge) == ([], [2, 3, 4])
    assert (intake.missing, intake.lost[Lost.EDGE]) == (False, 0)


def test_unreadable_packed_omega_is_counted_and_asked_for() -> None:
    edge = Edge()
    edge.put()
    intake = begun(edge)
    edge.put()
    assert put(intake, edge.put(), edge.put()) == ([], [])
    assert (intake.lost[Lost.UNREADABLE], intake.missing) == (2, True)
    assert ask(intake, edge) == ([2, 3, 4], [2, 3, 4])
    assert put(intake, edge.put()) == ([5], [5])


def test_unreadable_packed_omega_is_asked_for_without_a_keeper_too() -> None:
    edge, intake = Edge(), Intake("room1")
    put(intake, edge.put())
    edge.put()
    assert put(intake, edge.put()) == ([], [])
    assert (intake.missing, intake.wanted_after_ns) == (True, START + 1)
    assert ask(intake, edge) == ([2, 3], [])
    assert not intake.missing


def test_long_backlog_is_no_news() -> None:
    edge, intake = Edge(), Intake("room1")
    sent = [edge.put(plain=True) for _ in range(RECENT + 31)]
    intake.complete_from(0)
    put(intake, sent[-1])
    live, complete = ask(intake, edge)
    assert (live, complete) == ([], list(range(1, RECENT + 32)))
    other = Intake("room1")
    other.complete_from(0)
    answer = other.answer(0)
    plain = [replace(header, newest=edge.newest) for header, _ in sent]
    live, _ = both([answer.take(header, payload) for header, (_, payload) in zip(plain, sent, strict=True)])
    assert live == list(range(31, RECENT + 32))


def test_duplicates_are_dropped_and_counted() -> None:
    edge = Edge()
    first = edge.put()
    intake = begun(edge)
    second = edge.put(plain=True)
    assert put(intake, second, second, first, second) == ([2], [2])
    assert intake.lost[Lost.DUPLICATE] == 3


def test_what_the_edge_dropped_is_counted_and_does_not_stop_the_complete_stream() -> None:
    edge = Edge()
    edge.put()
    intake = begun(edge)
    for _ in range(5):
        edge.put()
    del edge.rows[:4]
    edge.lost = 3
    assert ask(intake, edge)[1] == [5, 6]
    assert (intake.lost[Lost.EDGE], intake.edge_lost) == (3, 3)


def test_what_came_is_not_lost_though_the_edge_dropped_it_with_what_was_before() -> None:
    edge = Edge()
    edge.put()
    intake = begun(edge)
    edge.put()
    assert put(intake, edge.put(plain=True))[1] == []
    edge.put()
    edge.put()
    edge.rows = edge.rows[-1:]
    assert ask(intake, edge)[1] == [3, 5]
    assert intake.lost[Lost.EDGE] == 2


def test_answer_of_which_something_is_missing_ends_there_and_is_asked_for_again() -> None:
    edge = Edge()
    edge.put()
    intake = begun(edge)
    for _ in range(5):
        edge.put()
    answer = intake.answer(intake.wanted_after_ns)
    sent = edge.answer(intake.wanted_after_ns, 10)
    assert both([answer.take(*one) for one in (sent[0], sent[1], sent[3], sent[4])])[1] == [2, 3]
    assert (intake.missing, intake.wanted_after_ns) == (True, START + 3)
    assert ask(intake, edge)[1] == [4, 5, 6]


def test_keeper_that_starts_again_gets_everything_after_what_it_has() -> None:
    edge = Edge()
    for _ in range(6):
        edge.put()
    intake = begun(edge)
    intake.complete_from(START + 3)
    assert intake.missing
    assert ask(intake, edge) == ([], [4, 5, 6])


def test_edge_with_another_queue_begins_anew_and_nothing_comes_twice() -> None:
    edge = Edge()
    for _ in range(3):
        edge.put()
    intake = begun(edge)
    edge.begin()
    assert put(intake, edge.put(), edge.put()) == ([4, 5], [])
    assert ask(intake, edge) == ([], [4, 5])
    assert put(intake, edge.put()) == ([6], [6])
    assert intake.lost[Lost.EDGE] == 0


def test_more_than_may_be_held_is_asked_for() -> None:
    edge = Edge()
    edge.put()
    intake = begun(edge)
    edge.put()
    first = edge.put(plain=True)
    put(intake, first, *(edge.put() for _ in range(HELD + 5)))
    assert ask(intake, edge, limit=1)[1] == list(range(2, HELD + 3))
    assert intake.missing
    assert ask(intake, edge)[1] == list(range(HELD + 3, HELD + 9))


def test_picture_is_handed_on_once_more_and_is_nobodys_reference() -> None:
    edge = Edge()
    sent = edge.put()
    intake = begun(edge)
    header = replace(sent[0], newest=1)
    arrived = intake.put(header, cdr.encode(whole(1)))
    assert (frames(arrived.complete), arrived.picture is not None) == ([], True)
    assert intake.picture(header, cdr.encode(whole(1))).picture is not None
    assert intake.lost[Lost.DUPLICATE] == 0
    assert put(intake, edge.put()) == ([2], [2])


WITHHELD = replace(whole(2), privacy=PrivacyReport(0.0, 0.0, 0.0, Verdict.WITHHOLD, "motion"))
TEXT = replace(whole(2), embedding=replace(Z, encoder_id="Mr Smith in bed 4"))
OTHER = replace(whole(2), key=SyncKey("room2", 2, START + 2), environment=replace(
    ENVIRONMENT, key=SyncKey("room2", 2, START + 2)))  # fmt: skip
PLAIN = Header(2, 0, f"{1:016x}", 2, 0)


@pytest.mark.parametrize(
    ("header", "payload", "reason"),
    [
        (PLAIN, b"no message", Reason.FIELD),
        (PLAIN, bare(2)[:-20], Reason.FIELD),
        (PLAIN, cdr.encode(WITHHELD), Reason.PRIVACY),
        (PLAIN, cdr.encode(TEXT), Reason.FIELD),
        (PLAIN, cdr.encode(OTHER), Reason.CAMERA),
        (Header(2, 1), bare(2), Reason.COMPRESSION),
        (Header(2, 1), compress(bare(2), bare(1))[:-1], Reason.COMPRESSION),
        (Header(2, 1), compress(bytes(10**6), bare(1)), Reason.COMPRESSION),
    ],
)
def test_what_no_gate_lets_through_is_rejected_and_the_streams_go_on(
    header: Header, payload: bytes, reason: Reason
) -> None:
    edge = Edge()
    edge.put()
    intake = begun(edge)
    answer = intake.answer(START)
    if header.ref:  # never the first of an answer
        answer.take(*edge.answer(START, 1)[0])
    for take in (intake.put, answer.take):
        with pytest.raises(Rejected) as rejection:
            take(header, payload)
        assert rejection.value.reason == reason
    edge.put()
    assert ask(intake, edge)[1] == [2]
