"""Makes the packets in which Ω travel: a header, and a payload that is plain or delta-compressed."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from privcam_core.types.omega import Environment, Omega
from privcam_edge.link.omega_queue import OmegaQueue, Row
from privcam_link import cdr
from privcam_link.delta_compression import compress
from privcam_link.wire import Header

# One of this many Ω is sent plain: a subscriber that joined later, or lost an Ω, can decompress from there.
PLAIN_EVERY = 30


class Packetizer:
    """Makes header and payload of everything that is sent from one queue."""

    def __init__(self, queue: OmegaQueue) -> None:
        self._queue = queue
        self._previous: Row | None = None
        self._since_plain = 0

    def restart(self) -> None:
        """Make the next live Ω plain: a new subscriber has none to decompress it with."""
        self._since_plain = PLAIN_EVERY

    def refresh_soon(self) -> None:
        """Make a live Ω plain soon: a subscriber with a gap cannot decompress what refers to an Ω in the gap."""
        if self._since_plain >= PLAIN_EVERY // 3:
            self.restart()

    def live(self, row: Row) -> tuple[Header, bytes]:
        """Return the packet of a live Ω: compressed against the Ω before, or plain."""
        previous, self._previous = self._previous, row
        if previous is not None and self._since_plain < PLAIN_EVERY:
            self._since_plain += 1
            return Header(row.n, previous.n), compress(row.payload, previous.payload)
        self._since_plain = 1
        return self._plain_header(row.n), row.payload

    def backlog(self, rows: Sequence[Row], *, max_bytes: int) -> list[tuple[Header, bytes]]:
        """Return consecutive Ω as a reply: the first one plain, each other one compressed against the one before it.

        max_bytes: of payloads as they are sent; the first one is always sent.
        """
        reply = [(self._plain_header(row.n), row.payload) for row in rows[:1]]
        total = sum(len(payload) for _, payload in reply)
        for previous, row in pairwise(rows):
            compressed = compress(row.payload, previous.payload)
            total += len(compressed)
            if total > max_bytes:
                break
            reply.append((Header(row.n, previous.n), compressed))
        return reply

    def picture(self, n: int, omega: Omega, environment: Environment) -> tuple[Header, bytes]:
        """Return the plain packet of an Ω with its picture, whole or as a patch."""
        return self._plain_header(n), cdr.encode(replace(omega, environment=environment))

    def _plain_header(self, n: int) -> Header:
        return Header(n, 0, self._queue.name, max(self._queue.newest, n), self._queue.lost)
