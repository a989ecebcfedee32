"""In whatever order things happen: live Ω are ever newer, and the recording has all that the edge had, in order."""

from collections.abc import Callable
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from simulated_edge import START, Edge, bare, frames

from privcam_link import cdr
from privcam_link.receiving.reorder_buffer import BacklogReply, Received, ReorderBuffer
from privcam_link.validation import Reason, Rejected
from privcam_link.wire import Header


class World:
    """An edge, a line that loses and repeats, a cloud, and a recorder that keeps the recording."""

    def __init__(self) -> None:
        self.edge, self.buffer = Edge(), ReorderBuffer("room1")
        self.buffer.record_from(0)
        self.sent: list[tuple[Header, bytes]] = []
        self.coming: list[tuple[BacklogReply, Header, bytes]] = []
        self.live: list[int] = []
        self.kept: list[int] = []  # what the recorder has
        self.safe = 0  # the last of it that it said to be safe
        self.gone: set[int] = set()  # what the edge had to drop before the recorder had it

    def take(self, take: Callable[[Header, bytes], Received], sent: tuple[Header, bytes]) -> None:
        try:
            arrived = take(*sent)
        except Rejected as rejection:  # of a new queue, packed against one with the same number in the old queue
            assert rejection.reason == Reason.COMPRESSION
            return
        for omega in (*arrived.live, *arrived.recording):
            assert cdr.encode(omega) == bare(omega.key.frame_id)
        self.live += frames(arrived.live)
        self.kept += frames(arrived.recording)

    def put(self, copies: int, plain: bool) -> None:
        self.sent.append(self.edge.put(plain=plain))
        for _ in range(copies):
            self.take(self.buffer.put, self.sent[-1])

    def repeat(self, back: int) -> None:
        for sent in self.sent[-back:][:1]:
            self.take(self.buffer.put, sent)

    def ask(self, limit: int, missing: int) -> None:
        reply = self.buffer.begin_reply(self.buffer.wanted_after_ns)
        sent = self.edge.reply(self.buffer.wanted_after_ns, limit)
        self.coming = [(reply, *one) for place, one in enumerate(sent) if place != missing]

    def arrive(self, count: int) -> None:
        for reply, header, payload in self.coming[:count]:
            self.take(reply.take, (header, payload))
        del self.coming[:count]

    def restart_cloud(self, unsaved: int) -> None:
        """Start with no more than the recorder had: what was safe, and some of what was not."""
        self.buffer, self.coming, self.live = ReorderBuffer("room1"), [], []
        self.restart_recorder(unsaved)

    def restart_recorder(self, unsaved: int) -> None:
        self.kept = [frame for frame in self.kept if frame <= self.safe + unsaved]
        self.buffer.record_from(START + self.kept[-1] if self.kept else 0)

    def acknowledge(self) -> None:
        self.safe = self.kept[-1] if self.kept else 0
        self.edge.rows = [row for row in self.edge.rows[:-1] if row[1] > self.safe] + self.edge.rows[-1:]

    def drop(self, count: int) -> None:
        gone, self.edge.rows = self.edge.rows[:-1][:count], self.edge.rows[:-1][count:] + self.edge.rows[-1:]
        self.gone |= {frame for _, frame in gone if frame > self.safe}

    def new_queue(self) -> None:
        self.gone |= {frame for _, frame in self.edge.rows if frame > self.safe}
        self.edge.begin()
        self.sent, self.coming = [], []


few = st.integers(0, 3)
steps = st.one_of(
    st.tuples(st.just("put"), st.sampled_from([0, 1, 1, 1, 2]), st.booleans()),
    st.tuples(st.just("repeat"), st.integers(1, 5)),
    st.tuples(st.just("ask"), st.integers(1, 6), st.integers(0, 8)),
    st.tuples(st.just("arrive"), st.integers(1, 6)),
    st.tuples(st.just("restart_cloud"), few),
    st.tuples(st.just("restart_recorder"), few),
    st.tuples(st.just("acknowledge")),
    st.tuples(st.just("drop"), few),
    st.tuples(st.just("new_queue")),
)


@settings(deadline=None, max_examples=500)
@given(st.lists(steps, max_size=60))
def test_in_whatever_order_things_happen_everything_comes_once_and_in_order(taken: list[tuple[Any, ...]]) -> None:
    world = World()
    for name, *arguments in taken:
        getattr(world, name)(*arguments)
        for stream in (world.live, world.kept):
            assert stream == sorted(set(stream))
    world.put(1, plain=True)
    for _ in range(2):
        world.ask(limit=10**6, missing=-1)
        world.arrive(10**6)
    assert not world.buffer.missing
    assert world.live[-1:] == [world.edge.frame]
    assert world.kept == sorted(set(world.kept))
    assert set(range(1, world.edge.frame + 1)) - set(world.kept) <= world.gone
