"""Defines the wire: key expressions, the header beside each Ω, and the queries to an edge.

Key expression: `privcam/<camera_id>/omega`, the only one. Payload: Ω as `privcam_link.cdr`, plain or compressed
(`privcam_link.delta_compression`). Attachment (see `Header`), ASCII, exactly one of these:

    type=privcam_msgs/msg/Omega;hash=RIHS01_<64 hex digits>;schema=5;queue=<16 hex>;n=<n>;newest=<n>;lost=<count>
    n=<n>;ref=<n>

An edge answers queries (see `Query`). Each reply is on the key of the query: an Ω with such an attachment, or, where
the query limits its size, a piece of an Ω with `;offset=<bytes>;total=<bytes>` after the first form:

    privcam/<camera_id>/omega?digest=<64 hex digits>[;have=<64 hex digits>,...][;offset=<bytes>;max_bytes=<bytes>]
    privcam/<camera_id>/omega/backlog?consumer=<name>;ack=<ns>[;after=<ns>][;max_bytes=<bytes>]

The backlog has a key of its own because an acknowledgement lets the edge delete; a viewer has no access to this key.
"""

import re
from dataclasses import dataclass
from typing import ClassVar

from privcam_core.types.identifiers import CAMERA_ID_PATTERN, camera_id_error, is_camera_id, require_camera_id
from privcam_core.types.omega import SCHEMA
from privcam_link import cdr
from privcam_link.validation import Reason, Rejected

TYPE_NAME = "privcam_msgs/msg/Omega"
# Hash of the message definition that `privcam_link.cdr` writes. A test compares it with the built message package.
TYPE_HASH = "RIHS01_c8029846236a50b19edef54b3192d092d21559327b02b67862021c153ce9f1ce"

ALL_CAMERAS = "privcam/*/omega"
BACKLOG = "/backlog"

# Digests that a picture query may name as possible bases of a patch.
MAX_HAVE = 8

_KEY = re.compile(rf"privcam/(?P<camera_id>{CAMERA_ID_PATTERN})/omega(?P<backlog>/backlog)?")
_DIGEST = re.compile(r"[0-9a-f]{64}")
_NUMBER = re.compile(r"0|[1-9]\d{0,18}", re.ASCII)
_QUEUE = re.compile(r"[0-9a-f]{16}")

# Names of the fields of an attachment, in order.
_PLAIN = ("type", "hash", "schema", "queue", "n", "newest", "lost")
_PIECE = (*_PLAIN, "offset", "total")
_COMPRESSED = ("n", "ref")
# Names of the parameters of a query, in order.
_PICTURE_QUERIES = tuple(
    ("digest", *have, *piece) for have in ((), ("have",)) for piece in ((), ("offset", "max_bytes"))
)
_BACKLOG_QUERIES = tuple(("consumer", "ack", *more) for more in ((), ("after",), ("after", "max_bytes")))
_QUERY_NUMBERS = ("ack", "after", "offset", "max_bytes")
# Characters of an attachment or of the parameters of a query.
_MAX_TEXT = 1024


def key_expression(camera_id: str) -> str:
    """Return the key on which a camera's Ω travels. Raises ValueError for a name that is not a camera_id."""
    return f"privcam/{require_camera_id(camera_id)}/omega"


def camera_of(key: str) -> str:
    """Return the camera_id in the key of an Ω or of its backlog. Raises Rejected for any other key."""
    match = _KEY.fullmatch(key)
    if match is None:
        raise Rejected(Reason.CAMERA, f"key {key[:120]!r} is not privcam/<camera_id>/omega")
    return match["camera_id"]


@dataclass(frozen=True)
class Header:
    """The header of an Ω, sent as the attachment beside it.

    n: number of the Ω in the edge's queue, from 1, without gaps. ref: number of the Ω that is the dictionary of this
    payload; 0: the payload is plain. Only beside a plain payload: queue: name of the queue, 16 hex digits; a new queue
    counts from 1 again. newest: highest number in the queue. lost: Ω that this queue dropped before every consumer had
    them. offset, total: the payload is a piece, from byte `offset` on, of a plain Ω of `total` bytes; total is 0: the
    payload is the whole Ω.
    """

    n: int
    ref: int = 0
    queue: str = ""
    newest: int = 0
    lost: int = 0
    offset: int = 0
    total: int = 0

    def encode(self) -> bytes:
        """Return the attachment."""
        if self.ref:
            return f"n={self.n};ref={self.ref}".encode()
        piece = f";offset={self.offset};total={self.total}" if self.total else ""
        return (
            f"type={TYPE_NAME};hash={TYPE_HASH};schema={SCHEMA};"
            f"queue={self.queue};n={self.n};newest={self.newest};lost={self.lost}{piece}"
        ).encode()


def header_of(attachment: bytes | None) -> Header:
    """Return the header in an attachment. Raises Rejected unless it names the message and schema of this side.

    A compressed Ω names neither: it can only be read after a plain one that did.
    """
    fields = _fields((attachment or b"")[: _MAX_TEXT + 1].decode("ascii", "replace"), Reason.TYPE, "attachment")
    if tuple(fields) == _COMPRESSED:
        n, ref = (_number(fields, name, Reason.TYPE) for name in _COMPRESSED)
        if not 0 < ref < n:
            raise Rejected(Reason.TYPE, f"attachment: ref {ref} is not before n {n}")
        return Header(n, ref)
    if tuple(fields) not in (_PLAIN, _PIECE):
        raise Rejected(Reason.TYPE, f"attachment has the fields {', '.join(fields)[:200]!r}")
    if fields["type"] != TYPE_NAME:
        raise Rejected(Reason.TYPE, f"attachment has type {fields['type'][:128]}, needs {TYPE_NAME}")
    if fields["schema"] != str(SCHEMA):
        raise Rejected(Reason.SCHEMA, f"attachment has schema {fields['schema'][:16]}, this side reads {SCHEMA}")
    if fields["hash"] != TYPE_HASH:
        raise Rejected(Reason.TYPE, f"attachment has hash {fields['hash'][:128]}, this side reads {TYPE_HASH}")
    if _QUEUE.fullmatch(fields["queue"]) is None:
        raise Rejected(Reason.TYPE, "attachment: queue is not 16 hex digits")
    n, newest, lost = (_number(fields, name, Reason.TYPE) for name in ("n", "newest", "lost"))
    if not 0 < n <= newest:
        raise Rejected(Reason.TYPE, f"attachment: n {n} is not in [1, newest {newest}]")
    if "total" not in fields:
        return Header(n, 0, fields["queue"], newest, lost)
    offset, total = (_number(fields, name, Reason.TYPE) for name in ("offset", "total"))
    if not offset < total <= cdr.MAX_OMEGA_BYTES:
        raise Rejected(
            Reason.TYPE,
            f"attachment: offset {offset} is not below total {total}, or that is over {cdr.MAX_OMEGA_BYTES}",
        )
    return Header(n, 0, fields["queue"], newest, lost, offset, total)


@dataclass(frozen=True)
class PictureQuery:
    """Requests the picture with this digest.

    have: digests of pictures that the receiver holds, as possible bases of a patch. offset, max_bytes: requests only
    `max_bytes` bytes from byte `offset` of the reply; max_bytes is 0: the whole reply. key: appended to the key of Ω.
    """

    digest: bytes
    have: tuple[bytes, ...] = ()
    offset: int = 0
    max_bytes: int = 0
    key: ClassVar[str] = ""

    def encode(self) -> str:
        """Return the parameters of the query."""
        have = ",".join(digest.hex() for digest in self.have[:MAX_HAVE])
        piece = f";offset={self.offset};max_bytes={self.max_bytes}" if self.max_bytes else ""
        return f"digest={self.digest.hex()}" + (f";have={have}" if have else "") + piece


@dataclass(frozen=True)
class BacklogQuery:
    """Acknowledges all Ω up to a capture time, and requests the Ω after another capture time.

    consumer: name of the receiver, 1 to 64 of a-z, 0-9, _. ack_ns: stamp of the last Ω that it has safely, 0: none.
    after_ns: None requests nothing. max_bytes: limit of the payloads in the reply, 0: the edge's limit; the reply
    holds at least one Ω if there is one.
    """

    consumer: str
    ack_ns: int
    after_ns: int | None = None
    max_bytes: int = 0
    key: ClassVar[str] = BACKLOG

    def encode(self) -> str:
        """Return the parameters of the query."""
        after = "" if self.after_ns is None else f";after={self.after_ns}"
        limit = f";max_bytes={self.max_bytes}" if self.max_bytes else ""
        return f"consumer={self.consumer};ack={self.ack_ns}{after}{limit}"


Query = PictureQuery | BacklogQuery


def query_of(parameters: str) -> Query:
    """Return the query with these parameters. Raises Rejected for anything but one of the two queries."""
    fields = _fields(parameters, Reason.QUERY, "query")
    names = tuple(fields)
    numbers = {name: _number(fields, name, Reason.QUERY) for name in _QUERY_NUMBERS if name in fields}
    if numbers.get("max_bytes", 1) == 0:
        raise Rejected(Reason.QUERY, f"query: {parameters[:200]!r} requests 0 bytes")
    if names in _PICTURE_QUERIES:
        have = fields["have"].split(",") if "have" in fields else []
        if len(have) > MAX_HAVE or any(_DIGEST.fullmatch(text) is None for text in (fields["digest"], *have)):
            raise Rejected(Reason.QUERY, f"query: {parameters[:200]!r} does not name 1 to {MAX_HAVE + 1} digests")
        bases = tuple(bytes.fromhex(text) for text in have)
        return PictureQuery(bytes.fromhex(fields["digest"]), bases, **numbers)
    if names in _BACKLOG_QUERIES:
        if not is_camera_id(fields["consumer"]):
            raise Rejected(Reason.QUERY, f"query: consumer {camera_id_error(fields['consumer'])}")
        return BacklogQuery(fields["consumer"], numbers["ack"], numbers.get("after"), numbers.get("max_bytes", 0))
    raise Rejected(Reason.QUERY, f"query: {parameters[:200]!r} is neither for a picture nor for a backlog")


def _fields(text: str, reason: Reason, what: str) -> dict[str, str]:
    """Return the name=value pairs of a text in order. Raises Rejected for a name that comes twice."""
    if len(text) > _MAX_TEXT:
        raise Rejected(reason, f"{what} is longer than {_MAX_TEXT} characters")
    pairs = [part.split("=", maxsplit=1) for part in text.split(";")] if text else []
    if any(len(pair) != 2 for pair in pairs) or len({pair[0] for pair in pairs}) != len(pairs):
        raise Rejected(reason, f"{what} {text[:200]!r} is not name=value, each once")
    return {pair[0]: pair[1] for pair in pairs}


def _number(fields: dict[str, str], name: str, reason: Reason) -> int:
    if _NUMBER.fullmatch(fields[name]) is None or int(fields[name]) >= 2**63:
        raise Rejected(reason, f"{name}: {fields[name][:40]!r} is not a whole number below 2^63")
    return int(fields[name])
