"""What both ends of the link agree on before a byte of Ω is read: the key, the attachment, the endpoint.

Key expression: `privcam/<camera_id>/omega`. Payload: `privcam_core.cdr`. Attachment, ASCII, exactly this:

    type=privcam_msgs/msg/Omega;hash=RIHS01_<64 hex digits>;schema=<number>

A picture that the cloud does not know is asked for by a query on the same key with the parameter `digest=<64 hex
digits>`; the answer is an Ω with that picture in it.
"""

import re
from ipaddress import ip_address

from privcam_core.checks import Reason, Rejected
from privcam_core.omega import CAMERA_ID, SCHEMA

TYPE_NAME = "privcam_msgs/msg/Omega"
# Hash of the message definition that `privcam_core.cdr` writes. A test compares it with the built message package.
TYPE_HASH = "RIHS01_7917583789fbce1d9131a59983a5c7df7ad12d62b8c56196f5cac346763b7fda"
ATTACHMENT = f"type={TYPE_NAME};hash={TYPE_HASH};schema={SCHEMA}".encode()

ALL_CAMERAS = "privcam/*/omega"
DIGEST_PARAMETER = "digest"
DEFAULT_ENDPOINT = "tcp/127.0.0.1:7447"

# Zenoh settings of both ends. Nothing is found, gossiped or listened to beyond the one endpoint; the sequence numbers
# that recover lost samples need time stamps; shared memory would go round the network that is to be watched.
LINK_SETTINGS = {
    "timestamping/enabled": "true",
    "scouting/multicast/enabled": "false",
    "scouting/gossip/enabled": "false",
    "transport/shared_memory/enabled": "false",
}

_ENDPOINT = re.compile(r"(?P<protocol>[a-z]+)/(?P<host>\[[0-9a-fA-F:]+\]|[\w.-]+):(?P<port>\d{1,5})", re.ASCII)
_ATTACHMENT = re.compile(r"type=(?P<type>[\w/]{1,128});hash=(?P<hash>\w{1,128});schema=(?P<schema>\d{1,9})", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}")
_KEY = re.compile(rf"privcam/(?P<camera_id>{CAMERA_ID.pattern})/omega")


def key_expression(camera_id: str) -> str:
    """Return the one key on which a camera's Ω travels. Raises ValueError for a name that is not a camera's."""
    if CAMERA_ID.fullmatch(camera_id) is None:
        raise ValueError(f"camera_id: {camera_id[:80]!r} is not 1 to 64 of a-z, 0-9 and _")
    return f"privcam/{camera_id}/omega"


def camera_of(key: str) -> str:
    """Return the camera_id in a key expression. Raises Rejected for any other key."""
    match = _KEY.fullmatch(key)
    if match is None:
        raise Rejected(Reason.CAMERA, f"key {key[:120]!r} is not privcam/<camera_id>/omega")
    return match["camera_id"]


def digest_of(text: str | None) -> bytes:
    """Return the digest that a query asks for. Raises Rejected for anything but 64 lower-case hex digits."""
    if text is None or _DIGEST.fullmatch(text) is None:
        raise Rejected(Reason.DIGEST, f"query asks for {(text or '')[:80]!r}, needs {DIGEST_PARAMETER}=<64 hex digits>")
    return bytes.fromhex(text)


def check_attachment(attachment: bytes | None) -> None:
    """Raise Rejected unless the attachment announces the message and schema that this side reads."""
    text = (attachment or b"")[: 2 * len(ATTACHMENT)].decode("ascii", "replace")
    match = _ATTACHMENT.fullmatch(text)
    if match is None:
        raise Rejected(Reason.TYPE, f"attachment {text!r} is not type=…;hash=…;schema=…")
    if match["type"] != TYPE_NAME:
        raise Rejected(Reason.TYPE, f"attachment says {match['type']}, only {TYPE_NAME} travels here")
    if int(match["schema"]) != SCHEMA:
        raise Rejected(Reason.SCHEMA, f"attachment says schema {match['schema']}, this side reads {SCHEMA}")
    if match["hash"] != TYPE_HASH:
        raise Rejected(Reason.TYPE, f"attachment says hash {match['hash']}, this side reads {TYPE_HASH}")


def loopback_endpoint(text: str) -> str:
    """Return the Zenoh endpoint `text` if it is plain TCP on this host's loopback.

    Raises ValueError for a malformed endpoint and for one that other hosts could reach: leaving the host needs TLS
    with client certificates, which this version does not have.
    """
    match = _ENDPOINT.fullmatch(text)
    if match is None or not 0 < int(match["port"]) < 2**16:
        raise ValueError(f"endpoint: {text!r} is not <protocol>/<address>:<port>, for example {DEFAULT_ENDPOINT}")
    if match["protocol"] != "tcp":
        raise ValueError(
            f"endpoint: {text!r}: only tcp on the loopback is supported for now, {match['protocol']} is not"
        )
    host = "127.0.0.1" if match["host"] == "localhost" else match["host"].strip("[]")
    try:
        loopback = ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ValueError(
            f"endpoint: {text!r} is not a loopback address; other hosts are reached with TLS and client certificates "
            "only, which this version does not have yet. Use 127.0.0.1 or [::1]"
        )
    return f"tcp/[{host}]:{match['port']}" if ":" in host else f"tcp/{host}:{match['port']}"
