"""What both ends of the link agree on before a byte of Ω is read: the key, the attachment, the questions, the endpoint.

Key expression: `privcam/<camera_id>/omega`, the only one. Payload: Ω as `privcam_link.cdr`, plain or packed
(`privcam_link.delta_compression`). Attachment, ASCII, exactly one of these (see `Label`):

    type=privcam_msgs/msg/Omega;hash=RIHS01_<64 hex digits>;schema=2;queue=<16 hex>;n=<n>;newest=<n>;lost=<count>
    n=<n>;ref=<n>

Queries ask the edge (see `Question`); every answer is on the key of the question, an Ω with such an attachment, or
where a question limits it a piece of one, with `;at=<bytes>;of=<bytes>` behind the first form:

    privcam/<camera_id>/omega?digest=<64 hex digits>[;have=<64 hex digits>,...][;at=<bytes>;most=<bytes>]
    privcam/<camera_id>/omega/backlog?consumer=<name>;ack=<ns>[;after=<ns>][;most=<bytes>]

The backlog has a key of its own because whoever acknowledges lets the edge forget: a viewer may not.
"""

import json
import re
from dataclasses import dataclass
from ipaddress import ip_address
from typing import ClassVar

from privcam_core.types.identifiers import CAMERA_ID_PATTERN, camera_id_error, is_camera_id, require_camera_id
from privcam_core.types.omega import SCHEMA
from privcam_link import cdr
from privcam_link.validation import Reason, Rejected

TYPE_NAME = "privcam_msgs/msg/Omega"
# Hash of the message definition that `privcam_link.cdr` writes. A test compares it with the built message package.
TYPE_HASH = "RIHS01_e232339d12a0a76ccf5ae13bfa51c3b9629b63bbf78996f158d9136d3adcd2bd"

ALL_CAMERAS = "privcam/*/omega"
BACKLOG = "/backlog"
DEFAULT_ENDPOINT = "tcp/127.0.0.1:7447"

# Zenoh settings of both ends. Nothing is found, gossiped or listened to beyond the one endpoint; shared memory would go
# round the network that is to be watched. A batch and the socket's buffer are small, so that on a slow line an Ω never
# waits behind more than some ten kilobytes of a picture. A connection that a dead line left half open is given up
# before the next attempt would be due anyway. Who waits to send on a dead line keeps Zenoh from closing it, and from
# using the next one: so nobody waits longer than the lease (10 s). A picture has to get through in that time, beside
# what the queue holds.
LINK_SETTINGS = {
    "scouting/multicast/enabled": "false",
    "scouting/gossip/enabled": "false",
    "transport/shared_memory/enabled": "false",
    "transport/unicast/open_timeout": "4000",
    "transport/unicast/accept_timeout": "4000",
    "transport/link/tx/batch_size": "8192",
    "transport/link/tx/queue/size/real_time": "4",
    "transport/link/tx/queue/size/background": "16",
    "transport/link/tx/queue/congestion_control/block/wait_before_close": "10000000",
    "transport/link/tcp/so_sndbuf": "32768",
    "transport/link/tls/so_sndbuf": "32768",
}
# Waiting time between attempts to connect: quick at first, then every second.
_RETRY = {"period_init_ms": 200, "period_max_ms": 1000, "period_increase_factor": 2.0}
# A picture named in a question, and how many may be: what the asker could make the wanted one of.
MAX_HAVE = 8

_ENDPOINT = re.compile(r"(?P<protocol>[a-z]+)/(?P<host>\[[0-9a-fA-F:]+\]|[\w.-]+):(?P<port>\d{1,5})", re.ASCII)
_KEY = re.compile(rf"privcam/(?P<camera_id>{CAMERA_ID_PATTERN})/omega(?P<backlog>/backlog)?")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NUMBER = re.compile(r"0|[1-9]\d{0,18}", re.ASCII)
_QUEUE = re.compile(r"[0-9a-f]{16}")
_PLAIN = ("type", "hash", "schema", "queue", "n", "newest", "lost")
_PIECE = (*_PLAIN, "at", "of")
_PACKED = ("n", "ref")
_PICTURE_QUESTIONS = tuple(("digest", *have, *piece) for have in ((), ("have",)) for piece in ((), ("at", "most")))
_BACKLOG_QUESTIONS = tuple(("consumer", "ack", *more) for more in ((), ("after",), ("after", "most")))
_QUESTION_NUMBERS = ("ack", "after", "at", "most")
_MAX_TEXT = 1024


def key_expression(camera_id: str) -> str:
    """Return the one key on which a camera's Ω travels. Raises ValueError for a name that is not a camera's."""
    return f"privcam/{require_camera_id(camera_id)}/omega"


def camera_of(key: str) -> str:
    """Return the camera_id in the key of an Ω, or of its backlog. Raises Rejected for any other key."""
    match = _KEY.fullmatch(key)
    if match is None:
        raise Rejected(Reason.CAMERA, f"key {key[:120]!r} is not privcam/<camera_id>/omega")
    return match["camera_id"]


@dataclass(frozen=True)
class Label:
    """What goes beside an Ω.

    n: its number in the edge's queue, one more than that of the Ω before; from 1. ref: the number of the Ω against
    which the payload is packed, 0: plain. Of a plain one also: queue: names the queue, 16 hex digits; numbers of
    another queue begin anew. newest: the highest number in the queue. lost: how many Ω this queue ever had to drop
    before a consumer had them. at, of: the payload is a piece, from byte `at` on, of a plain Ω of `of` bytes; of is 0:
    the payload is the Ω.
    """

    n: int
    ref: int = 0
    queue: str = ""
    newest: int = 0
    lost: int = 0
    at: int = 0
    of: int = 0

    def encode(self) -> bytes:
        """Return the attachment."""
        if self.ref:
            return f"n={self.n};ref={self.ref}".encode()
        piece = f";at={self.at};of={self.of}" if self.of else ""
        return (
            f"type={TYPE_NAME};hash={TYPE_HASH};schema={SCHEMA};"
            f"queue={self.queue};n={self.n};newest={self.newest};lost={self.lost}{piece}"
        ).encode()


def label_of(attachment: bytes | None) -> Label:
    """Return what an attachment says. Raises Rejected unless it announces the message and schema that this side reads.

    A packed Ω announces nothing of its own: it can only be read after a plain one that did.
    """
    fields = _fields((attachment or b"")[: _MAX_TEXT + 1].decode("ascii", "replace"), ";", Reason.TYPE, "attachment")
    if tuple(fields) == _PACKED:
        n, ref = (_number(fields, name, Reason.TYPE) for name in _PACKED)
        if not 0 < ref < n:
            raise Rejected(Reason.TYPE, f"attachment: ref {ref} is not before n {n}")
        return Label(n, ref)
    if tuple(fields) not in (_PLAIN, _PIECE):
        raise Rejected(Reason.TYPE, f"attachment has the fields {', '.join(fields)[:200]!r}")
    if fields["type"] != TYPE_NAME:
        raise Rejected(Reason.TYPE, f"attachment says {fields['type'][:128]}, only {TYPE_NAME} travels here")
    if fields["schema"] != str(SCHEMA):
        raise Rejected(Reason.SCHEMA, f"attachment says schema {fields['schema'][:16]}, this side reads {SCHEMA}")
    if fields["hash"] != TYPE_HASH:
        raise Rejected(Reason.TYPE, f"attachment says hash {fields['hash'][:128]}, this side reads {TYPE_HASH}")
    if _QUEUE.fullmatch(fields["queue"]) is None:
        raise Rejected(Reason.TYPE, "attachment: queue is not 16 hex digits")
    n, newest, lost = (_number(fields, name, Reason.TYPE) for name in ("n", "newest", "lost"))
    if not 0 < n <= newest:
        raise Rejected(Reason.TYPE, f"attachment: n {n} is not in [1, newest {newest}]")
    if "of" not in fields:
        return Label(n, 0, fields["queue"], newest, lost)
    at, of = (_number(fields, name, Reason.TYPE) for name in ("at", "of"))
    if not at < of <= cdr.MAX_OMEGA_BYTES:
        raise Rejected(Reason.TYPE, f"attachment: at {at} is not before of {of}, or that is over {cdr.MAX_OMEGA_BYTES}")
    return Label(n, 0, fields["queue"], newest, lost, at, of)


@dataclass(frozen=True)
class PictureQuestion:
    """Asks for the picture with this digest. have: digests of pictures that a patch may be made on.

    at, most: asks for this piece alone of what the answer would be, `most` bytes from byte `at` on; most is 0: for all.
    key: what comes behind the key of the Ω.
    """

    digest: bytes
    have: tuple[bytes, ...] = ()
    at: int = 0
    most: int = 0
    key: ClassVar[str] = ""

    def encode(self) -> str:
        """Return the parameters of the query."""
        have = ",".join(digest.hex() for digest in self.have[:MAX_HAVE])
        piece = f";at={self.at};most={self.most}" if self.most else ""
        return f"digest={self.digest.hex()}" + (f";have={have}" if have else "") + piece


@dataclass(frozen=True)
class BacklogQuestion:
    """Says up to which capture time a consumer has everything safely, and asks for what came after another.

    consumer: a name, 1 to 64 of a-z, 0-9, _. ack_ns: stamp of the last Ω it has, 0: none. after_ns: None asks nothing.
    most: bytes of payloads in the answer, 0: as many as the edge likes. One Ω comes at least, where there is one.
    """

    consumer: str
    ack_ns: int
    after_ns: int | None = None
    most: int = 0
    key: ClassVar[str] = BACKLOG

    def encode(self) -> str:
        """Return the parameters of the query."""
        after = "" if self.after_ns is None else f";after={self.after_ns}"
        most = f";most={self.most}" if self.most else ""
        return f"consumer={self.consumer};ack={self.ack_ns}{after}{most}"


Question = PictureQuestion | BacklogQuestion


def question_of(parameters: str) -> Question:
    """Return what a query asks. Raises Rejected for anything but one of the two questions."""
    fields = _fields(parameters, ";", Reason.QUESTION, "query")
    names = tuple(fields)
    numbers = {name: _number(fields, name, Reason.QUESTION) for name in _QUESTION_NUMBERS if name in fields}
    if numbers.get("most", 1) == 0:
        raise Rejected(Reason.QUESTION, f"query: {parameters[:200]!r} asks for 0 bytes")
    if names in _PICTURE_QUESTIONS:
        have = fields["have"].split(",") if "have" in fields else []
        if len(have) > MAX_HAVE or any(_DIGEST.fullmatch(text) is None for text in (fields["digest"], *have)):
            raise Rejected(Reason.QUESTION, f"query: {parameters[:200]!r} does not name 1 to {MAX_HAVE + 1} digests")
        bases = tuple(bytes.fromhex(text) for text in have)
        return PictureQuestion(bytes.fromhex(fields["digest"]), bases, **numbers)
    if names in _BACKLOG_QUESTIONS:
        if not is_camera_id(fields["consumer"]):
            raise Rejected(Reason.QUESTION, f"query: consumer {camera_id_error(fields['consumer'])}")
        return BacklogQuestion(fields["consumer"], numbers["ack"], numbers.get("after"), numbers.get("most", 0))
    raise Rejected(Reason.QUESTION, f"query: {parameters[:200]!r} is neither for a picture nor for a backlog")


def checked_endpoint(text: str, *, secured: bool) -> str:
    """Return the Zenoh endpoint `text` if it may be used: tcp on this host's loopback, or tls with certificates.

    secured: whether this end has credentials. Raises ValueError for a malformed endpoint, for tcp to or from other
    hosts, and for tls without credentials: nothing leaves the host unencrypted or to somebody without a certificate.
    """
    match = _ENDPOINT.fullmatch(text)
    if match is None or not 0 < int(match["port"]) < 2**16:
        raise ValueError(f"endpoint: {text!r} is not <protocol>/<address>:<port>, for example {DEFAULT_ENDPOINT}")
    if match["protocol"] not in ("tcp", "tls"):
        raise ValueError(f"endpoint: {text!r}: only tcp on the loopback and tls are supported")
    host = "127.0.0.1" if match["host"] == "localhost" else match["host"].strip("[]")
    if match["protocol"] == "tls":
        if not secured:
            raise ValueError(
                f"endpoint: {text!r} needs certificates: make them with `privcam keys`, set the parameter credentials"
            )
    elif secured:
        raise ValueError(
            f"endpoint: {text!r} is not encrypted; with credentials use tls/{match['host']}:{match['port']}"
        )
    elif not _is_loopback(host):
        raise ValueError(
            f"endpoint: {text!r} is not a loopback address; other hosts are reached with TLS and client certificates "
            "only: make them with `privcam keys`, set the parameter credentials, and use tls/"
        )
    return (
        f"{match['protocol']}/[{host}]:{match['port']}"
        if ":" in host
        else f"{match['protocol']}/{host}:{match['port']}"
    )


def connect_settings(endpoints: list[str]) -> dict[str, str]:
    """Return the settings of a session that connects to these checked endpoints, for ever, and listens nowhere.

    A peer opens at once and connects in the background; a client would wait for the first connection.
    """
    connect = {"endpoints": endpoints, "timeout_ms": -1, "exit_on_failure": False, "retry": _RETRY}
    settings = {f"connect/{name}": json.dumps(value) for name, value in connect.items()}
    return {**LINK_SETTINGS, "mode": '"peer"', "listen/endpoints": "[]", **settings}


def listen_settings(endpoint: str) -> dict[str, str]:
    """Return the settings of a session that listens on one checked endpoint, and connects to nobody."""
    return {**LINK_SETTINGS, "mode": '"peer"', "listen/endpoints": json.dumps([endpoint])}


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _fields(text: str, separator: str, reason: Reason, what: str) -> dict[str, str]:
    """Return name=value pairs in order; a name that comes twice is refused."""
    if len(text) > _MAX_TEXT:
        raise Rejected(reason, f"{what} is longer than {_MAX_TEXT} characters")
    pairs = [part.split("=", maxsplit=1) for part in text.split(separator)] if text else []
    if any(len(pair) != 2 for pair in pairs) or len({pair[0] for pair in pairs}) != len(pairs):
        raise Rejected(reason, f"{what} {text[:200]!r} is not name=value, each once")
    return {pair[0]: pair[1] for pair in pairs}


def _number(fields: dict[str, str], name: str, reason: Reason) -> int:
    if _NUMBER.fullmatch(fields[name]) is None or int(fields[name]) >= 2**63:
        raise Rejected(reason, f"{name}: {fields[name][:40]!r} is not a whole number below 2^63")
    return int(fields[name])
