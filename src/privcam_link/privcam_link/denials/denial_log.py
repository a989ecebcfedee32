"""Writes one line to standard error for each message or connection that Zenoh denied, and tells why it cannot connect.

Zenoh 1.10 writes its log to standard output, reports a denied message at level TRACE together with every allowed one,
and has no log callback in Python. So a small process (this file, run as a module) filters standard output: it writes a
line to standard error for each denial, and forwards all other output. It is a process and not a thread, because Zenoh
may write while it holds Python's global lock, and would then wait for a reader thread that waits for the same lock.
"""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import TextIO

from privcam_link.denials import connect_errors
from privcam_link.denials.access_denials import AccessDenials
from privcam_link.denials.connect_errors import ConnectErrors, ConnectEvent
from privcam_link.denials.handshake_tracker import HandshakeTracker, listening_socket

LOG_FILTER = (
    "zenoh::net::routing::interceptor=trace,"  # every message, allowed or denied, and every new peer
    "zenoh_link_tls::unicast=debug,"  # handshakes of the listening side
    f"{connect_errors.LOG_FILTER}"  # failed attempts of the connecting side
)


_EVENT_BYTES = 4096


class DenialLog:
    """Starts the filter process. Create one in each process, before the first Zenoh session.

    start: `zenoh.init_log_from_env_or`. Log lines that RUST_LOG requests are still written to standard output.
    """

    def __init__(self, start: Callable[[str], None]) -> None:
        sys.stdout.flush()
        reading, writing = os.pipe()
        self._control, control = socket.socketpair()
        self._events, events = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._events.setblocking(False)
        handed_on = [control.fileno(), events.fileno()]
        # In its own session, so that Ctrl-C does not end it before the last line; it ends when its input is closed.
        command = [sys.executable, "-m", "privcam_link.denials.denial_log", *map(str, handed_on)]
        subprocess.Popen(command, stdin=reading, start_new_session=True, pass_fds=handed_on)
        control.close()
        events.close()
        os.dup2(writing, 1)
        os.close(reading)
        os.close(writing)
        requested, colour = os.environ.get("RUST_LOG"), os.environ.get("NO_COLOR")
        os.environ["RUST_LOG"] = f"{requested},{LOG_FILTER}" if requested else LOG_FILTER
        os.environ["NO_COLOR"] = "1"
        try:
            start(LOG_FILTER)
        finally:
            for name, value in (("RUST_LOG", requested), ("NO_COLOR", colour)):
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value

    def connect_events(self) -> list[ConnectEvent]:
        """Return what happened since the last call: new reasons why this process cannot connect, and connections."""
        found = []
        with suppress(BlockingIOError):
            while data := self._events.recv(_EVENT_BYTES):
                found.append(ConnectEvent(*json.loads(data)))
        return found

    def watch(self, endpoint: str) -> None:
        """Report the peer's address with each failed handshake from now on.

        endpoint: on which this process listens, e.g. tls/[::]:7447. Raises OSError if it does not listen there.
        """
        with listening_socket(int(endpoint.rpartition(":")[2])) as listening:
            socket.send_fds(self._control, [b"."], [listening.fileno()])
        self._control.recv(1)  # returns when the filter process watches the socket, or has ended


def filter_log(
    source: TextIO,
    output: TextIO,
    errors: TextIO,
    handshakes: HandshakeTracker,
    tell: Callable[[ConnectEvent], object] = lambda _event: None,
) -> None:
    """Read `source` to its end. Write denials to `errors`, and lines that are not of our log filter to `output`.

    tell: takes why this process cannot connect, and that it did.
    """
    denials, connecting = AccessDenials(handshakes), ConnectErrors()
    for line in source:
        event = connecting.read(line)
        if event is not None:
            tell(event)
        denial, forward = denials.read(line)
        if denial is not None:
            print(f"[link] refused: {denial}", file=errors, flush=True)
        if forward:
            output.write(line)
            output.flush()


def _watch(control: socket.socket, handshakes: HandshakeTracker) -> None:
    """Track the handshakes of the listening socket that is received over `control`."""
    _, handles, _, _ = socket.recv_fds(control, 1, 1)
    if handles:
        handshakes.run(socket.socket(fileno=handles[0]), lambda: control.send(b"."))


def _send(events: socket.socket, event: ConnectEvent) -> None:
    with suppress(OSError):  # the process has ended, or does not look for so long that no more fits
        events.send(json.dumps([event.to, event.reason]).encode())


if __name__ == "__main__":
    sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr]
    # On one host a handshake takes milliseconds: the tracking thread must not wait long for the reading thread.
    sys.setswitchinterval(1e-4)
    handshakes = HandshakeTracker()
    control = socket.socket(fileno=int(sys.argv[1]))
    threading.Thread(target=_watch, args=(control, handshakes), daemon=True).start()
    events = socket.socket(fileno=int(sys.argv[2]))
    events.setblocking(False)
    filter_log(sys.stdin, sys.stdout, sys.stderr, handshakes, partial(_send, events))
