"""However Ω come, live ones are always newer, and the recording has all that the edge had, once, in order."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from simulated_edge import ENVIRONMENT, START, Edge, Z, bare, frames, whole

from privcam_core.types.omega import PrivacyReport, SyncKey, Verdict
from privcam_link import cdr
from privcam_link.delta_compression import compress
from privcam_link.receiving.reorder_buffer import MAX_WAITING, RECENT, LossReason, Received, ReorderBuffer
from privcam_link.validation import Reason, Rejected
from privcam_link.wire import Header


def put(buffer: ReorderBuffer, *sent: tuple[Header, bytes]) -> tuple[list[int], list[int]]:
    """Return the frames that some Ω bring for the live and for the recording."""
    return both([buffer.put(*one) for one in sent])


def ask(buffer: ReorderBuffer, edge: Edge, limit: int = 10**6) -> tuple[list[int], list[int]]:
    """Return what the reply to a query for what is missing brings."""
    reply = buffer.begin_reply(buffer.wanted_after_ns)
    return both([reply.take(*one) for one in edge.reply(buffer.wanted_after_ns, limit)])


def both(arrived: Sequence[Received]) -> tuple[list[int], list[int]]:
    live = [frame for one in arrived for frame in frames(one.live)]
    return live, [frame for one in arrived for frame in frames(one.recording)]


def begun(edge: Edge, after: int = 0) -> ReorderBuffer:
    """An buffer whose recording goes on behind a frame, and has all that the edge has."""
    buffer = ReorderBuffer("room1")
    buffer.record_from(START + after if after else 0)
    ask(buffer, edge)
    return buffer


def test_without_a_recorder_there_is_only_the_live_stream() -> None:
    edge, buffer = Edge(), ReorderBuffer("room1")
    assert put(buffer, edge.put(), edge.put(), edge.put()) == ([1, 2, 3], [])
    assert (buffer.recorded_until_ns, buffer.newest_ns, buffer.missing) == (None, START + 3, False)


def test_recording_begins_with_the_first_answer_and_goes_on_with_what_is_put() -> None:
    edge, buffer = Edge(), ReorderBuffer("room1")
    buffer.record_from(0)
    assert put(buffer, edge.put(), edge.put()) == ([1, 2], [])
    assert (buffer.missing, buffer.wanted_after_ns) == (True, 0)
    assert ask(buffer, edge) == ([], [1, 2])
    assert not buffer.missing
    assert put(buffer, edge.put(), edge.put()) == ([3, 4], [3, 4])


def test_live_stream_does_not_wait_for_what_was_lost_and_the_complete_one_does() -> None:
    edge = Edge()
    edge.put()
    buffer = begun(edge)
    edge.put()
    late = edge.put(plain=True)
    assert put(buffer, late, edge.put()) == ([3, 4], [])
    assert (buffer.missing, buffer.wanted_after_ns) == (True, START + 1)
    assert ask(buffer, edge) == ([], [2, 3, 4])
    assert (buffer.missing, buffer.lost[LossReason.EDGE]) == (False, 0)


def test_unreadable_packed_omega_is_counted_and_asked_for() -> None:
    edge = Edge()
    edge.put()
    buffer = begun(edge)
    edge.put()
    assert put(buffer, edge.put(), edge.put()) == ([], [])
    assert (buffer.lost[LossReason.UNREADABLE], buffer.missing) == (2, True)
    assert ask(buffer, edge) == ([2, 3, 4], [2, 3, 4])
    assert put(buffer, edge.put()) == ([5], [5])


def test_unreadable_packed_omega_is_asked_for_without_a_recorder_too() -> None:
    edge, buffer = Edge(), ReorderBuffer("room1")
    put(buffer, edge.put())
    edge.put()
    assert put(buffer, edge.put()) == ([], [])
    assert (buffer.missing, buffer.wanted_after_ns) == (True, START + 1)
    assert ask(buffer, edge) == ([2, 3], [])
    assert not buffer.missing


def test_long_backlog_is_no_news() -> None:
    edge, buffer = Edge(), ReorderBuffer("room1")
    sent = [edge.put(plain=True) for _ in range(RECENT + 31)]
    buffer.record_from(0)
    put(buffer, sent[-1])
    live, complete = ask(buffer, edge)
    assert (live, complete) == ([], list(range(1, RECENT + 32)))
    other = ReorderBuffer("room1")
    other.record_from(0)
    reply = other.begin_reply(0)
    plain = [replace(header, newest=edge.newest) for header, _ in sent]
    live, _ = both([reply.take(header, payload) for header, (_, payload) in zip(plain, sent, strict=True)])
    assert live == list(range(31, RECENT + 32))


def test_duplicates_are_dropped_and_counted() -> None:
    edge = Edge()
    first = edge.put()
    buffer = begun(edge)
    second = edge.put(plain=True)
    assert put(buffer, second, second, first, second) == ([2], [2])
    assert buffer.lost[LossReason.DUPLICATE] == 3


def test_what_the_edge_dropped_is_counted_and_does_not_stop_the_recording() -> None:
    edge = Edge()
    edge.put()
    buffer = begun(edge)
    for _ in range(5):
        edge.put()
    del edge.rows[:4]
    edge.lost = 3
    assert ask(buffer, edge)[1] == [5, 6]
    assert (buffer.lost[LossReason.EDGE], buffer.edge_lost) == (3, 3)


def test_what_came_is_not_lost_though_the_edge_dropped_it_with_what_was_before() -> None:
    edge = Edge()
    edge.put()
    buffer = begun(edge)
    edge.put()
    assert put(buffer, edge.put(plain=True))[1] == []
    edge.put()
    edge.put()
    edge.rows = edge.rows[-1:]
    assert ask(buffer, edge)[1] == [3, 5]
    assert buffer.lost[LossReason.EDGE] == 2


def test_answer_of_which_something_is_missing_ends_there_and_is_asked_for_again() -> None:
    edge = Edge()
    edge.put()
    buffer = begun(edge)
    for _ in range(5):
        edge.put()
    reply = buffer.begin_reply(buffer.wanted_after_ns)
    sent = edge.reply(buffer.wanted_after_ns, 10)
    assert both([reply.take(*one) for one in (sent[0], sent[1], sent[3], sent[4])])[1] == [2, 3]
    assert (buffer.missing, buffer.wanted_after_ns) == (True, START + 3)
    assert ask(buffer, edge)[1] == [4, 5, 6]


def test_recorder_that_starts_again_gets_everything_after_what_it_has() -> None:
    edge = Edge()
    for _ in range(6):
        edge.put()
    buffer = begun(edge)
    buffer.record_from(START + 3)
    assert buffer.missing
    assert ask(buffer, edge) == ([], [4, 5, 6])


def test_edge_with_another_queue_begins_anew_and_nothing_comes_twice() -> None:
    edge = Edge()
    for _ in range(3):
        edge.put()
    buffer = begun(edge)
    edge.begin()
    assert put(buffer, edge.put(), edge.put()) == ([4, 5], [])
    assert ask(buffer, edge) == ([], [4, 5])
    assert put(buffer, edge.put()) == ([6], [6])
    assert buffer.lost[LossReason.EDGE] == 0


def test_more_than_may_be_held_is_asked_for() -> None:
    edge = Edge()
    edge.put()
    buffer = begun(edge)
    edge.put()
    first = edge.put(plain=True)
    put(buffer, first, *(edge.put() for _ in range(MAX_WAITING + 5)))
    assert ask(buffer, edge, limit=1)[1] == list(range(2, MAX_WAITING + 3))
    assert buffer.missing
    assert ask(buffer, edge)[1] == list(range(MAX_WAITING + 3, MAX_WAITING + 9))


def test_picture_is_handed_on_once_more_and_is_nobodys_reference() -> None:
    edge = Edge()
    sent = edge.put()
    buffer = begun(edge)
    header = replace(sent[0], newest=1)
    arrived = buffer.put(header, cdr.encode(whole(1)))
    assert (frames(arrived.recording), arrived.picture is not None) == ([], True)
    assert buffer.open_picture(header, cdr.encode(whole(1))).picture is not None
    assert buffer.lost[LossReason.DUPLICATE] == 0
    assert put(buffer, edge.put()) == ([2], [2])


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
    buffer = begun(edge)
    reply = buffer.begin_reply(START)
    if header.ref:  # never the first of an reply
        reply.take(*edge.reply(START, 1)[0])
    for take in (buffer.put, reply.take):
        with pytest.raises(Rejected) as rejection:
            take(header, payload)
        assert rejection.value.reason == reason
    edge.put()
    assert ask(buffer, edge)[1] == [2]
