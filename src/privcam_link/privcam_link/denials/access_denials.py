"""Finds denied messages and connections in the lines of Zenoh's log, which reports allowed ones as well.

Reported are: a denied message with the name in the sender's certificate, its kind and key; a peer whose name is not in
access.json, with name and address; on the listening side a failed handshake with address and reason. Zenoh reports the
reason only; the address comes from the kernel, see `handshake_tracker`. For the connecting side see `connect_errors`.
"""

import re
import time
from collections.abc import Callable

from privcam_link.denials.handshake_tracker import HandshakeTracker

# A repeated denial within this time is counted, not reported: a denied peer cannot fill the disk.
QUIET_S = 10.0
# Peers, and different denials, that are kept in memory.
_MAX_ENTRIES = 1000
# The verdict on a message is on the line before the one that reports the drop, on the same thread, within this time.
# Zenoh also logs verdicts for keys of which no message was dropped; no such line follows those.
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
_UNKNOWN_PEER = re.compile(r"(?P<zid>[0-9a-f]+) did not match any configured ACL subject")
_TRANSPORT = re.compile(r"New low-pass filter transport unicast .*?zid: (?P<zid>[0-9a-f]+),.*?dst: (?P<address>[^,]+),")
_TLS_NAME = re.compile(r'Tls\(Some\("(?P<name>[^"]*)"\)\)')
_HANDSHAKE = re.compile(r"zenoh_link_tls::unicast: (?P<reason>.*?)\.?(?: Hint: .*)?")
_ACCEPTED = re.compile(r"zenoh_link_tls::unicast: Accepted TLS connection on \S+: (?P<peer>\S+)\. ")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class AccessDenials:
    """Finds the denials in the lines of a log. clock: seconds, limits the rate of repeated denials."""

    def __init__(self, handshakes: HandshakeTracker, clock: Callable[[], float] = time.monotonic) -> None:
        self._handshakes, self._clock = handshakes, clock
        self._verdicts: dict[str, tuple[float, str]] = {}  # thread -> time and text of its last verdict
        self._names: dict[str, str] = {}  # Zenoh's identifier -> name in the certificate
        self._unknown: set[str] = set()  # Zenoh's identifiers of peers without an access rule
        self._reported: dict[str, tuple[float, int]] = {}  # denial -> time of its report, repetitions since

    def read(self, line: str) -> tuple[str | None, bool]:
        """Return (text of a denial or None, whether the line itself should be forwarded)."""
        match = _LINE.fullmatch(_COLOUR.sub("", line.rstrip("\n")))
        if match is None or not any(target in match["text"] for target in _OURS):
            return None, True
        seconds = 3600 * int(match["h"]) + 60 * int(match["m"]) + float(match["s"])
        denial = self._find_denial(match["text"], match["thread"], seconds, match["level"])
        return (None if denial is None else self._limit_rate(denial)), False

    def _find_denial(self, text: str, thread: str, seconds: float, level: str) -> str | None:
        if found := _MESSAGE.search(text):
            direction = "from" if found["flow"] == "ingress" else "to"
            verdict = f"{direction} {self._names.get(found['zid'], found['zid'])}: {found['what']} on {found['key']}"
            # A drop after this verdict is by the size filter, which comes next and does not log the peer.
            too_large = found["verdict"] == "authorized"
            self._verdicts[thread] = (seconds, verdict + ": too large" if too_large else verdict)
        elif text.endswith(_INTERCEPTED):
            at, verdict = self._verdicts.pop(thread, (0.0, ""))
            return verdict if verdict and 0 <= seconds - at < _SAME_MESSAGE_S else None
        elif found := _UNKNOWN_PEER.search(text):
            self._unknown.add(found["zid"])
        elif found := _TRANSPORT.search(text):
            return self._register_peer(found["zid"], found["address"], _TLS_NAME.search(text))
        elif level in ("WARN", "ERROR") and (found := _HANDSHAKE.fullmatch(text.strip())):
            return f"from {self._handshakes.failed()}: connection: {found['reason']}"
        elif found := _ACCEPTED.match(text.strip()):
            self._handshakes.accepted(found["peer"])
        return None

    def _register_peer(self, zid: str, address: str, certificate: "re.Match[str] | None") -> str | None:
        if len(self._names) >= _MAX_ENTRIES:
            del self._names[next(iter(self._names))]
        name = certificate["name"] if certificate else f"{zid} at {address}"
        self._names[zid] = name
        if zid not in self._unknown:
            return None
        self._unknown.discard(zid)
        at = f" at {address}" if certificate else ""
        return f"from {name}{at}: everything: its name is not in access.json; it was revoked, or never added"

    def _limit_rate(self, denial: str) -> str | None:
        """Return the denial, or None if the same was reported within QUIET_S."""
        now = self._clock()
        # The denied peer chose the key: no control characters, and a limited length.
        denial = "".join(c if c.isprintable() else "?" for c in denial)[:400]
        reported_s, repetitions = self._reported.get(denial, (now - QUIET_S, 0))
        if now - reported_s < QUIET_S:
            self._reported[denial] = (reported_s, repetitions + 1)
            return None
        if len(self._reported) >= _MAX_ENTRIES:
            self._reported.clear()
        self._reported[denial] = (now, 0)
        return f"{denial} (and {repetitions} times before)" if repetitions else denial
