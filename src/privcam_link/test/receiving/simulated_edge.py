"""A simulated edge for tests of the reorder buffer: its queue of Ω, and the form in which it sends them."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from privcam_core.images.environment import encode_environment, environment_of
from privcam_core.types.omega import Embedding, Omega, PrivacyReport, SyncKey, Verdict
from privcam_link import cdr
from privcam_link.delta_compression import compress
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

    def reply(self, after_ns: int, limit: int) -> list[tuple[Header, bytes]]:
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
