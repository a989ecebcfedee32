"""The form in which Ω travel: their labels, and packed or plain."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from privcam_core.types.omega import Environment, Omega
from privcam_edge.link.omega_queue import OmegaQueue, Row
from privcam_link import cdr
from privcam_link.delta_compression import compress
from privcam_link.wire import Header

# Every so many Ω one is sent plain: a subscriber that comes later, or lost one, can read on from there.
PLAIN_EVERY = 30


class Sending:
    """Makes label and payload of everything that is sent of one queue."""

    def __init__(self, queue: OmegaQueue) -> None:
        self._queue = queue
        self._before: Row | None = None
        self._since_plain = 0

    def start_over(self) -> None:
        """Send the next live Ω plain: somebody who has none may have come."""
        self._since_plain = PLAIN_EVERY

    def help_on(self) -> None:
        """Send a live Ω plain soon: somebody has a gap, and cannot read what is packed against something in it."""
        if self._since_plain >= PLAIN_EVERY // 3:
            self.start_over()

    def live(self, row: Row) -> tuple[Header, bytes]:
        """Return an Ω as it travels at once: packed against the one before, or plain."""
        before, self._before = self._before, row
        if before is not None and self._since_plain < PLAIN_EVERY:
            self._since_plain += 1
            return Header(row.n, before.n), compress(row.payload, before.payload)
        self._since_plain = 1
        return self._plain(row.n), row.payload

    def backlog(self, rows: Sequence[Row], *, max_bytes: int) -> list[tuple[Header, bytes]]:
        """Return consecutive Ω as an answer: the first one plain, each other packed against the one before it.

        max_bytes: of payloads as they are sent; at least the first one is.
        """
        answer = [(self._plain(row.n), row.payload) for row in rows[:1]]
        total = sum(len(payload) for _, payload in answer)
        for before, row in pairwise(rows):
            packed = compress(row.payload, before.payload)
            total += len(packed)
            if total > max_bytes:
                break
            answer.append((Header(row.n, before.n), packed))
        return answer

    def picture(self, n: int, omega: Omega, environment: Environment) -> tuple[Header, bytes]:
        """Return an Ω once more, with its picture, whole or as a patch."""
        return self._plain(n), cdr.encode(replace(omega, environment=environment))

    def _plain(self, n: int) -> Header:
        return Header(n, 0, self._queue.name, max(self._queue.newest, n), self._queue.lost)
