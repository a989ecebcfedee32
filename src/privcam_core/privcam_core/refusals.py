"""Makes the log say what Zenoh refuses, to whom, and why; Zenoh itself says it only among everything it allows.

Zenoh 1.10 writes its log to standard output, names a refused message at level TRACE beside every one that passed, and
takes no callback in Python. So standard output is led through a small process of its own (this file, run as a script),
which turns what was refused into one line each on standard error and lets everything else pass. It is a process and no
thread, because Zenoh may write while Python's lock is held, and would then wait for a reader that waits for the lock.

What a line can tell: a refused message with the name in the sender's certificate, kind and key; a name that is on no
list with name and address. Of a failed handshake Zenoh tells the reason alone to the side that listens, neither name
nor address; the side that connects says where to.
"""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from typing import TextIO

LOG_FILTER = (
    "zenoh::net::routing::interceptor=trace,"  # every message, allowed or not; and who connects
    "zenoh_link_tls::unicast=warn,"  # failed handshakes, where this side listens
    "zenoh::net::runtime::orchestrator=debug"  # failed handshakes, where this side connects
)
# The same refusal again within this time is counted instead of told: nobody may fill a disk by being refused.
QUIET_S = 10.0
_REMEMBERED = 1000
# What was said of a message is on the line right before the one that says it was thrown away, on the same thread. Zenoh
# also says, for whatever key it meets, what would be refused; that is followed by nothing.
_SAME_MESSAGE_S = 0.005

_LINE = re.compile(
    r"\S+T(?P<h>\d\d):(?P<m>\d\d):(?P<s>[\d.]+)Z\s+(?P<level>TRACE|DEBUG|INFO|WARN|ERROR)\s.*?"
    r"ThreadId\((?P<thread>\d+)\)\s(?P<text>.*)"
)
_OURS = ("zenoh::net::routing::interceptor", "zenoh_link_tls::unicast", "zenoh::net::runtime::orchestrator")
_MESSAGE = re.compile(
    r"(?P<zid>[0-9a-f]+) (?:on \S+ )?(?:is (?P<verdict>authorized|unauthorized)|has an authorization error) to "
    r"(?P<what>[A-Z][A-Za-z/ ]*) \((?P<flow>ingress|egress)\) on (?P<key>.*)"
)
_INTERCEPTED = "zenoh::net::routing::interceptor: Msg intercepted!"
_STRANGER = re.compile(r"(?P<zid>[0-9a-f]+) did not match any configured ACL subject")
_TRANSPORT = re.compile(r"New low-pass filter transport unicast .*?zid: (?P<zid>[0-9a-f]+),.*?dst: (?P<address>[^,]+),")
_TLS_NAME = re.compile(r'Tls\(Some\("(?P<name>[^"]*)"\)\)')
_HANDSHAKE = re.compile(r"zenoh_link_tls::unicast: (?P<reason>.*?)\.?(?: Hint: .*)?")
_CONNECT = re.compile(
    r"Unable to connect to configured peer (?P<to>\S+?)! (?P<reason>.*(?:certificate|alert).*?)\.?(?: at /|$)"
)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class Refusals:
    """Finds the refusals in the lines of a log. clock: seconds, for not repeating itself."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: dict[str, tuple[float, str]] = {}  # thread -> when it last judged a message, and what it said
        self._names: dict[str, str] = {}  # Zenoh's identifier -> name in the certificate
        self._strangers: set[str] = set()
        self._told: dict[str, tuple[float, int]] = {}  # refusal -> when it was told, how often it came since

    def read(self, line: str) -> tuple[str | None, bool]:
        """Return (what was refused to whom, or None; whether the line itself should be passed on)."""
        match = _LINE.fullmatch(_COLOUR.sub("", line.rstrip("\n")))
        if match is None or not any(target in match["text"] for target in _OURS):
            return None, True
        seconds = 3600 * int(match["h"]) + 60 * int(match["m"]) + float(match["s"])
        refusal = self._refusal(match["text"], match["thread"], seconds, match["level"])
        return (None if refusal is None else self._once(refusal)), False

    def _refusal(self, text: str, thread: str, seconds: float, level: str) -> str | None:
        if found := _MESSAGE.search(text):
            way = "from" if found["flow"] == "ingress" else "to"
            said = f"{way} {self._names.get(found['zid'], found['zid'])}: {found['what']} on {found['key']}"
            # Refused although its key is allowed: the filter by size comes next, and names nobody.
            self._last[thread] = (seconds, said + ": too large" if found["verdict"] == "authorized" else said)
        elif text.endswith(_INTERCEPTED):
            at, said = self._last.pop(thread, (0.0, ""))
            return said if said and 0 <= seconds - at < _SAME_MESSAGE_S else None
        elif found := _STRANGER.search(text):
            self._strangers.add(found["zid"])
        elif found := _TRANSPORT.search(text):
            return self._meet(found["zid"], found["address"], _TLS_NAME.search(text))
        elif level in ("WARN", "ERROR") and (found := _HANDSHAKE.fullmatch(text.strip())):
            return f"from somebody without a name: connection: {found['reason']}"
        elif found := _CONNECT.search(text):
            return f"to {found['to']}: connection: {found['reason']}"
        return None

    def _meet(self, zid: str, address: str, certificate: "re.Match[str] | None") -> str | None:
        if len(self._names) >= _REMEMBERED:
            del self._names[next(iter(self._names))]
        name = certificate["name"] if certificate else f"{zid} at {address}"
        self._names[zid] = name
        if zid not in self._strangers:
            return None
        self._strangers.discard(zid)
        at = f" at {address}" if certificate else ""
        return f"from {name}{at}: everything: its name is not in access.json; it was revoked, or never added"

    def _once(self, refusal: str) -> str | None:
        now = self._clock()
        # Keys are chosen by whoever is refused: no control characters, no endless lines.
        refusal = "".join(c if c.isprintable() else "?" for c in refusal)[:400]
        told, more = self._told.get(refusal, (now - QUIET_S, 0))
        if now - told < QUIET_S:
            self._told[refusal] = (told, more + 1)
            return None
        if len(self._told) >= _REMEMBERED:
            self._told.clear()
        self._told[refusal] = (now, 0)
        return f"{refusal} (and {more} times before)" if more else refusal


def enable_refusal_log(start: Callable[[str], None]) -> None:
    """Write one line to standard error for each refusal, from now on. To be called once, before the first session.

    start: `zenoh.init_log_from_env_or`. What RUST_LOG asks for is still written to standard output.
    """
    sys.stdout.flush()
    reading, writing = os.pipe()
    # A session of its own, so that Ctrl-C does not end it before the last line; it ends with the last writer.
    subprocess.Popen([sys.executable, "-I", __file__], stdin=reading, start_new_session=True)
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


def follow(source: TextIO, passing: TextIO, telling: TextIO) -> None:
    """Read `source` to its end; write refusals to `telling`, and what Zenoh did not write for us to `passing`."""
    refusals = Refusals()
    for line in source:
        refusal, passed = refusals.read(line)
        if refusal is not None:
            print(f"[link] refused: {refusal}", file=telling, flush=True)
        if passed:
            passing.write(line)
            passing.flush()


if __name__ == "__main__":
    sys.stdin.reconfigure(errors="replace")  # type: ignore[union-attr]
    follow(sys.stdin, sys.stdout, sys.stderr)
