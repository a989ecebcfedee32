"""Zenoh endpoints that the link may use, and the transport settings of both ends."""

import json
import re
from ipaddress import ip_address

DEFAULT_ENDPOINT = "tcp/127.0.0.1:7447"

# Zenoh settings of both ends. No scouting, no gossip, and no listener beyond the one endpoint. Shared memory is
# off, because it would bypass the network that is monitored. Batches and socket buffers are small, so that on a slow
# line an Ω waits for at most some ten kilobytes of a picture. A half-open connection is closed before the next attempt
# is due. A blocked sender prevents Zenoh from closing a dead connection, so no sender blocks for longer than the lease
# (10 s); a picture must be sent within that time.
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
# Time between attempts to connect: short at first, then one second.
_RETRY = {"period_init_ms": 200, "period_max_ms": 1000, "period_increase_factor": 2.0}
_ENDPOINT = re.compile(r"(?P<protocol>[a-z]+)/(?P<host>\[[0-9a-fA-F:]+\]|[\w.-]+):(?P<port>\d{1,5})", re.ASCII)


def check_endpoint(text: str, *, secured: bool, connects: bool = False) -> str:
    """Return the Zenoh endpoint `text` if it may be used: tcp on this host's loopback, or tls with certificates.

    secured: whether this end has credentials. connects: whether this end connects there, instead of listening.
    Raises ValueError for a malformed endpoint, for tcp to or from other hosts, and for tls without credentials: no data
    leaves the host unencrypted or to a peer without a certificate. Also for tls to an IPv6 address, where Zenoh would
    try without end: it takes the address for a host name, which no certificate can have.
    """
    match = _ENDPOINT.fullmatch(text)
    if match is None or not 0 < int(match["port"]) < 2**16:
        raise ValueError(f"endpoint: {text!r} is not <protocol>/<address>:<port>, for example {DEFAULT_ENDPOINT}")
    if match["protocol"] not in ("tcp", "tls"):
        raise ValueError(f"endpoint: {text!r}: only tcp on the loopback and tls are supported")
    # With TLS the name counts: the certificate of the other end is for it, and not for an address.
    is_local = match["host"].lower() == "localhost" and match["protocol"] == "tcp"
    host = "127.0.0.1" if is_local else match["host"].strip("[]")
    if match["protocol"] == "tls":
        if connects and ":" in host:
            raise ValueError(
                f"endpoint: {text!r}: TLS to an IPv6 address is not possible, because Zenoh cannot compare it with the "
                "certificate; give the cloud a host name (DNS or /etc/hosts), and use it here and in `privcam keys`"
            )
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
    """Return the settings of a session that connects to these checked endpoints, without end, and does not listen.

    A peer opens at once and connects in the background; a client would block until the first connection.
    """
    connect = {"endpoints": endpoints, "timeout_ms": -1, "exit_on_failure": False, "retry": _RETRY}
    settings = {f"connect/{name}": json.dumps(value) for name, value in connect.items()}
    return {**LINK_SETTINGS, "mode": '"peer"', "listen/endpoints": "[]", **settings}


def listen_settings(endpoint: str) -> dict[str, str]:
    """Return the settings of a session that listens on one checked endpoint and does not connect."""
    return {**LINK_SETTINGS, "mode": '"peer"', "listen/endpoints": json.dumps([endpoint])}


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
