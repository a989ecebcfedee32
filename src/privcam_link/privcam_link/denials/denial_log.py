"""Writes what Zenoh refuses to standard error, one line each, by a process of its own.

Zenoh 1.10 writes its log to standard output, names a refused message at level TRACE beside every one that passed, and
takes no callback in Python. So standard output is led through a small process (this file, run as a module), which turns
what was refused into one line each on standard error and lets everything else pass. It is a process and no thread,
because Zenoh may write while Python's lock is held, and would then wait for a reader that waits for the lock.
"""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import TextIO

from privcam_link.denials.access_denials import AccessDenials
from privcam_link.denials.handshake_tracker import HandshakeTracker, listening_socket

LOG_FILTER = (
    "zenoh::net::routing::interceptor=trace,"  # every message, allowed or not; and who connects
    "zenoh_link_tls::unicast=debug,"  # handshakes, where this side listens
    "zenoh::net::runtime::orchestrator=debug"  # failed handshakes, where this side connects
)


class DenialLog:
    """The process that writes one line to standard error for each refusal. One for each process, before any session.

    start: `zenoh.init_log_from_env_or`. What RUST_LOG asks for is still written to standard output.
    """

    def __init__(self, start: Callable[[str], None]) -> None:
        sys.stdout.flush()
        reading, writing = os.pipe()
        self._control, control = socket.socketpair()
        # A session of its own, so that Ctrl-C does not end it before the last line; it ends with the last writer.
        command = [sys.executable, "-m", "privcam_link.denials.denial_log", str(control.fileno())]
        subprocess.Popen(command, stdin=reading, start_new_session=True, pass_fds=[control.fileno()])
        control.close()
        os.dup2(writing, 1)
        os.close(reading)
        os.close(writing)
        asked, colour = os.environ.get("RUST_LOG"), os.environ.get("NO_COLOR")
        os.environ["RUST_LOG"] = f"{asked},{LOG_FILTER}" if asked else LOG_FILTER
        os.environ["NO_COLOR"] = "1"
        try:
            start(LOG_FILTER)
        finally:
            for name, value in (("RUST_LOG", asked), ("NO_COLOR", colour)):
                if value is None:
                    del os.environ[name]
                else:
                    os.environ[name] = value

    def watch(self, endpoint: str) -> None:
        """Name the address in failed handshakes from now on. endpoint: where this process listens, e.g. tls/[::]:7447.

        Raises OSError: it does not.
        """
        with listening_socket(int(endpoint.rpartition(":")[2])) as listening:
            socket.send_fds(self._control, [b"."], [listening.fileno()])
        self._control.recv(1)  # it watches, or it is gone


def follow(source: TextIO, passing: TextIO, telling: TextIO, arrivals: HandshakeTracker) -> None:
    """Read `source` to its end; write refusals to `telling`, and what Zenoh did not write for us to `passing`."""
    refusals = AccessDenials(arrivals)
    for line in source:
        refusal, passed = refusals.read(line)
        if refusal is not None:
            print(f"[link] refused: {refusal}", file=telling, flush=True)
        if passed:
            passing.write(line)
            passing.flush()


def _watch(control: socket.socket, arrivals: HandshakeTracker) -> None:
    """Follow the listening socket that comes over `control`."""
    _, handles, _, _ = socket.recv_fds(control, 1, 1)
    if handles:
        arrivals.follow(socket.socket(fileno=handles[0]), lambda: control.send(b"."))


if __name__ == "__main__":
    sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr]
    # On the same host all is over within milliseconds: the thread that looks must not wait for the one that reads.
    sys.setswitchinterval(1e-4)
    arrivals = HandshakeTracker()
    given = socket.socket(fileno=int(sys.argv[1]))
    threading.Thread(target=_watch, args=(given, arrivals), daemon=True).start()
    follow(sys.stdin, sys.stdout, sys.stderr, arrivals)
