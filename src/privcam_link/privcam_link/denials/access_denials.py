"""Finds in Zenoh's log what it refused, to whom, and why; Zenoh says it only among everything it allows.

What a line can tell: a refused message with the name in the sender's certificate, kind and key; a name that is on no
list with name and address; a failed handshake with address and reason (Zenoh tells the side that listens the reason
alone; the address is the kernel's, see arrivals.py).
"""

import re
import time
from collections.abc import Callable

from privcam_link.denials.handshake_tracker import HandshakeTracker

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
_ACCEPTED = re.compile(r"zenoh_link_tls::unicast: Accepted TLS connection on \S+: (?P<peer>\S+)\. ")
_CONNECT = re.compile(
    r"Unable to connect to configured peer (?P<to>\S+?)! (?P<reason>.*(?:certificate|alert).*?)\.?(?: at /|$)"
)
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class AccessDenials:
    """Finds the refusals in the lines of a log. clock: seconds, for not repeating itself."""

    def __init__(self, arrivals: HandshakeTracker, clock: Callable[[], float] = time.monotonic) -> None:
        self._arrivals, self._clock = arrivals, clock
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
            return f"from {self._arrivals.failed()}: connection: {found['reason']}"
        elif found := _ACCEPTED.match(text.strip()):
            self._arrivals.accepted(found["peer"])
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
