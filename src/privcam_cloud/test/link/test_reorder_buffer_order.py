"""In whatever order things happen: live Ω are ever newer, complete ones are all that the edge had, once, in order."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from privcam_cloud.link.reorder_buffer import Answer, Arrived, Intake
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


class World:
    """An edge, a line that loses and repeats, a cloud, and a recorder that keeps the complete stream."""

    def __init__(self) -> None:
        self.edge, self.intake = Edge(), Intake("room1")
        self.intake.complete_from(0)
        self.sent: list[tuple[Header, bytes]] = []
        self.coming: list[tuple[Answer, Header, bytes]] = []
        self.live: list[int] = []
        self.kept: list[int] = []  # what the recorder has
        self.safe = 0  # the last of it that it said to be safe
        self.gone: set[int] = set()  # what the edge had to drop before the recorder had it

    def take(self, take: Callable[[Header, bytes], Arrived], sent: tuple[Header, bytes]) -> None:
        try:
            arrived = take(*sent)
        except Rejected as rejection:  # of a new queue, packed against one with the same number in the old queue
            assert rejection.reason == Reason.COMPRESSION
            return
        for omega in (*arrived.live, *arrived.complete):
            assert cdr.encode(omega) == bare(omega.key.frame_id)
        self.live += frames(arrived.live)
        self.kept += frames(arrived.complete)

    def put(self, copies: int, plain: bool) -> None:
        self.sent.append(self.edge.put(plain=plain))
        for _ in range(copies):
            self.take(self.intake.put, self.sent[-1])

    def repeat(self, back: int) -> None:
        for sent in self.sent[-back:][:1]:
            self.take(self.intake.put, sent)

    def ask(self, limit: int, missing: int) -> None:
        answer = self.intake.answer(self.intake.wanted_after_ns)
        sent = self.edge.answer(self.intake.wanted_after_ns, limit)
        self.coming = [(answer, *one) for place, one in enumerate(sent) if place != missing]

    def arrive(self, count: int) -> None:
        for answer, header, payload in self.coming[:count]:
            self.take(answer.take, (header, payload))
        del self.coming[:count]

    def restart_cloud(self, unsafe: int) -> None:
        """Start with no more than the recorder had: what was safe, and some of what was not."""
        self.intake, self.coming, self.live = Intake("room1"), [], []
        self.restart_recorder(unsafe)

    def restart_recorder(self, unsafe: int) -> None:
        self.kept = [frame for frame in self.kept if frame <= self.safe + unsafe]
        self.intake.complete_from(START + self.kept[-1] if self.kept else 0)

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
    assert not world.intake.missing
    assert world.live[-1:] == [world.edge.frame]
    assert world.kept == sorted(set(world.kept))
    assert set(range(1, world.edge.frame + 1)) - set(world.kept) <= world.gone
