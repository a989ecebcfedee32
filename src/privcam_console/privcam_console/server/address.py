"""Where the console listens. Without TLS and without users that is the loopback only."""

import errno
import ipaddress
import socket

# How many connections may wait to be accepted.
_BACKLOG = 128


class UnusableAddress(ValueError):
    """The console cannot listen there. The message says why, and what to do."""


def listen_on(address: str, port: int) -> socket.socket:
    """Return a socket that listens. port: 0 for any free one. Raises UnusableAddress."""
    try:
        ip = ipaddress.ip_address(address)
    except ValueError as error:
        raise UnusableAddress(f"address {address!r} is no IP address; use 127.0.0.1") from error
    if not ip.is_loopback:
        raise UnusableAddress(
            f"address {address}: other hosts would reach the console there, and it has neither TLS nor users yet; use "
            "127.0.0.1, and from elsewhere an SSH tunnel (docs/console.md)"
        )
    listening = socket.socket(socket.AF_INET6 if ip.version == 6 else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((address, port))
        listening.listen(_BACKLOG)
    except OSError as error:
        listening.close()
        known = {errno.EADDRINUSE: "is in use; choose another port", errno.EACCES: "needs root; use one above 1023"}
        raise UnusableAddress(f"port {port} of {address}: {known.get(error.errno or 0, error.strerror)}") from error
    return listening


def url_of(listening: socket.socket) -> str:
    """Return the address of the page for a browser on this host."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"
