"""Who knocked: the addresses of those whose TLS handshake failed, which Zenoh does not tell the side that listens.

A connection that Zenoh refuses is gone when its log line is read, so it has to be seen when it comes. Linux mostly
wakes whoever waits on the listening socket at that moment, and its table of connections names the other side; Zenoh
then needs the other side's next message before it can refuse. It shakes hands with one after the other, in the order in
which they came, so what failed is the oldest that neither failed nor was accepted.
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
# More than this many at the same time in a handshake: the oldest are forgotten.
_WAITING = 1000
# The log can be faster than the look at the table. Whoever then waits in vain does not wait again for a while: nobody
# may hold up the log by coming and going.
_PATIENCE_S, _IMPATIENT_S = 0.05, 1.0
# Where Zenoh takes a connection before we run, Linux does not wake us for it: so we look this often in any case.
_LOOK_S = 0.1
# No handshake takes longer: Zenoh gives up after 10 s. Whoever is still here then was not told of.
_LONGEST_S = 12.0
GONE = "an address that was gone at once"


def listening_socket(port: int) -> socket.socket:
    """Return the socket of this process that listens on a TCP port, as a second handle of it.

    Raises OSError: there is none.
    """
    for handle in Path("/proc/self/fd").iterdir():
        try:
            found = socket.socket(fileno=os.dup(int(handle.name)))
        except OSError:
            continue  # a file, or closed since
        try:
            if found.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) and found.getsockname()[1] == port:
                return found
        except (OSError, IndexError):
            pass  # a socket without ports
        found.close()
    raise OSError(f"this process does not listen on TCP port {port}")


def peers(port: int, tables: Iterable[Path] = _TABLES) -> set[str]:
    """Return `address:port` of everybody who is connected to a TCP port of this host."""
    found = set()
    for table in tables:
        if table.exists():
            for line in table.read_text(encoding="ascii").splitlines()[1:]:
                _, own, other, state, *_ = line.split()
                if state != _LISTENING and int(own.rpartition(":")[2], 16) == port:
                    found.add(_address(other))
    return found


def _address(text: str) -> str:
    """Return an address of the kernel's table, 32-bit words in the host's byte order, as people write it."""
    words, _, port = text.partition(":")
    packed = b"".join(bytes.fromhex(words[i : i + 8])[::-1] for i in range(0, len(words), 8))
    address = ipaddress.ip_address(packed)
    if isinstance(address, ipaddress.IPv6Address):
        address = address.ipv4_mapped or address
    host = f"[{address}]" if isinstance(address, ipaddress.IPv6Address) else str(address)
    return f"{host}:{int(port, 16)}"


class HandshakeTracker:
    """Remembers who came to a listening socket and is still in its handshake."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        # Those who came at one moment, how many of them are still in their handshake, and when they came.
        self._waiting: deque[tuple[set[str], int, float]] = deque(maxlen=_WAITING)
        self._announced = 0  # so many more were seen than we were woken for
        self._connected: set[str] = set()
        self._accepted: deque[str] = deque(maxlen=_WAITING)
        self._changed = threading.Condition()
        self._impatient_until = 0.0

    def follow(self, listening: socket.socket, begun: Callable[[], object]) -> None:
        """Call `begun`, and remember everybody who comes from then on, for ever. To be run in a thread of its own."""
        port = listening.getsockname()[1]
        with select.epoll() as poll:
            poll.register(listening.fileno(), select.EPOLLIN | select.EPOLLET)
            begun()
            while True:
                woken = bool(poll.poll(_LOOK_S))
                connected = peers(port)
                if woken or connected - self._connected:
                    self.came(connected)

    def came(self, connected: set[str]) -> None:
        """Somebody came; `connected` are all who are connected now."""
        with self._changed:
            new = connected - self._connected
            self._connected = connected
            if new:
                self._announced = len(new) - 1
            elif self._announced:
                self._announced -= 1  # this one was seen together with another
                return
            waiting = new.difference(self._accepted)
            if waiting or not new:
                self._waiting.append((waiting, max(len(waiting), 1), self._clock()))
                self._changed.notify_all()

    def accepted(self, peer: str) -> None:
        """This one's handshake is done."""
        with self._changed:
            self._accepted.append(peer)
            if not any(peer in batch for batch, _, _ in self._waiting):
                return
            while True:  # whoever came before has ended, in whatever way
                batch, count, came = self._waiting.popleft()
                if peer in batch:
                    break
            if count > 1:
                self._waiting.appendleft((batch - {peer}, count - 1, came))

    def failed(self) -> str:
        """A handshake failed: return whose, several with "or" where they came at one moment, GONE if none is known."""
        with self._changed:
            now = self._clock()
            while self._waiting and now - self._waiting[0][2] > _LONGEST_S:
                self._waiting.popleft()
            if not self._changed.wait_for(lambda: self._waiting, _PATIENCE_S if now >= self._impatient_until else 0.0):
                self._impatient_until = now + _IMPATIENT_S
                return GONE
            batch, count, came = self._waiting.popleft()
            if count > 1:
                self._waiting.appendleft((batch, count - 1, came))
            return " or ".join(sorted(batch)) or GONE
