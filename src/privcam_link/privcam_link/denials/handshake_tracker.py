"""Finds the addresses of peers whose TLS handshake failed, which Zenoh does not log on the listening side.

A connection that Zenoh refused is closed before its log line is read, so the peer must be registered when it connects.
Linux mostly wakes a process that polls the listening socket at that moment, and the kernel's table of connections names
the peer; Zenoh needs the peer's next message before it can refuse. Zenoh handles handshakes one after the other in the
order of the connections, so a failed handshake is the oldest one that has neither failed nor been accepted.
"""

import ipaddress
import os
import select
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_LISTENING = "0A"
# Handshakes that are tracked at the same time; beyond this the oldest are dropped.
_MAX_PENDING = 1000
# The log line can be read before the table of connections: wait this long for the peer.
_TIMEOUT_S = 0.05
# After such a wait without result there is no wait for this long: a peer cannot delay the log by short connections.
_NO_WAIT_S = 1.0
# Where Zenoh accepts a connection before this thread runs, Linux does not wake it: the table is read this often anyway.
_POLL_S = 0.1
# Zenoh ends a handshake after 10 s. A peer that is pending for longer is dropped, its result was not logged.
_MAX_HANDSHAKE_S = 12.0
# Stands for the address of a peer that disconnected before it was found.
GONE = "an address that was gone at once"


def listening_socket(port: int) -> socket.socket:
    """Return a second handle of the socket of this process that listens on a TCP port.

    Raises OSError if there is none.
    """
    for handle in Path("/proc/self/fd").iterdir():
        try:
            found = socket.socket(fileno=os.dup(int(handle.name)))
        except OSError:
            continue  # not a socket, or closed meanwhile
        try:
            if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) and found.getsockname()[1] == port:
                return found
        except (OSError, IndexError):
            pass  # a socket without ports
        found.close()
    raise OSError(f"this process does not listen on TCP port {port}")


def peers(port: int, tables: Iterable[Path] = _TABLES) -> set[str]:
    """Return `address:port` of every peer that is connected to a TCP port of this host."""
    found = set()
    for table in tables:
        if table.exists():
            for line in table.read_text(encoding="ascii").splitlines()[1:]:
                _, own, other, state, *_ = line.split()
                if state != _LISTENING and int(own.rpartition(":")[2], 16) == port:
                    found.add(_address(other))
    return found


def _address(text: str) -> str:
    """Return an address of the kernel's table, 32-bit words in the host's byte order, in the usual notation."""
    words, _, port = text.partition(":")
    packed = b"".join(bytes.fromhex(words[i : i + 8])[::-1] for i in range(0, len(words), 8))
    address = ipaddress.ip_address(packed)
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    host = f"[{address}]" if isinstance(address, ipaddress.IPv6Address) else str(address)
    return f"{host}:{int(port, 16)}"


class HandshakeTracker:
    """Keeps the peers of a listening socket whose TLS handshake has neither failed nor been accepted."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # Peers that connected at one moment, how many of them are still in their handshake, and the time in s.
        self._pending: deque[tuple[set[str], int, float]] = deque(maxlen=_MAX_PENDING)
        self._seen_early = 0  # peers in the table for whose connection the poll has not returned yet
        self._connected: set[str] = set()
        self._accepted: deque[str] = deque(maxlen=_MAX_PENDING)
        self._changed = threading.Condition()
        self._no_wait_until = 0.0

    def run(self, listening: socket.socket, started: Callable[[], object]) -> None:
        """Call `started`, then track all new connections. Does not return: run it in a thread of its own."""
        port = listening.getsockname()[1]
        with select.epoll() as poll:
            poll.register(listening.fileno(), select.EPOLLIN | select.EPOLLET)
            started()
            while True:
                woken = bool(poll.poll(_POLL_S))
                connected = peers(port)
                if woken or connected - self._connected:
                    self.update(connected)

    def update(self, connected: set[str]) -> None:
        """Register a new connection. connected: `address:port` of all peers that are connected now."""
        with self._changed:
            new = connected - self._connected
            self._connected = connected
            if new:
                self._seen_early = len(new) - 1
            elif self._seen_early:
                self._seen_early -= 1  # registered before, together with another peer
                return
            pending = new.difference(self._accepted)
            if pending or not new:
                self._pending.append((pending, max(len(pending), 1), self._clock()))
                self._changed.notify_all()

    def accepted(self, peer: str) -> None:
        """Register that the handshake of a peer, `address:port`, succeeded."""
        with self._changed:
            self._accepted.append(peer)
            if not any(peer in batch for batch, _, _ in self._pending):
                return
            while True:  # the handshakes of all earlier peers have ended as well
                batch, count, connected_s = self._pending.popleft()
                if peer in batch:
                    break
            if count > 1:
                self._pending.appendleft((batch - {peer}, count - 1, connected_s))

    def failed(self) -> str:
        """Register a failed handshake and return the peer's `address:port`.

        Several, with "or", if they connected at one moment; GONE if none is known.
        """
        with self._changed:
            now = self._clock()
            while self._pending and now - self._pending[0][2] > _MAX_HANDSHAKE_S:
                self._pending.popleft()
            if not self._changed.wait_for(lambda: self._pending, _TIMEOUT_S if now >= self._no_wait_until else 0.0):
                self._no_wait_until = now + _NO_WAIT_S
                return GONE
            batch, count, connected_s = self._pending.popleft()
            if count > 1:
                self._pending.appendleft((batch, count - 1, connected_s))
            return " or ".join(sorted(batch)) or GONE
