"""Says why a source cannot be opened or read, in words of a user, without its URL."""

import socket
from urllib.parse import urlsplit

import av.error


def reason_of(error: Exception, url: str, seconds: float) -> str:
    """Return the reason and the remedy. url: what was opened, a path for a file. seconds: the limit for an answer."""
    for kind, text in _REASONS:
        if isinstance(error, kind):
            return text
    if isinstance(error, av.error.ExitError | TimeoutError):
        return f"no answer within {seconds:g} s; check the address, that the camera is on, and the network between"
    if isinstance(error, av.error.InvalidDataError):
        return "is not a video that FFmpeg can decode; check that it plays, or convert it to MP4"
    if _host_is_unknown(url):
        return "there is no such host; check the name, or give the address"
    if isinstance(error, av.error.ArgumentError):
        return "FFmpeg does not take it; check the address, its port, and what stands behind the host"
    if isinstance(error, OSError):
        return f"{error.strerror}".lower() + "; check address, user and password, and that the camera is on"
    told = getattr(error, "strerror", None) or type(error).__name__
    return f"FFmpeg cannot read it ({told}); check that it plays elsewhere"


_REASONS: tuple[tuple[type[Exception], str], ...] = (
    (ConnectionRefusedError, "the connection was refused: nothing listens there; check the host and the port"),
    (
        av.error.HTTPUnauthorizedError,
        "it wants a user and a password, or other ones (401); check source_credentials",
    ),
    (av.error.HTTPForbiddenError, "this user may not see it (403); check the rights of the user in the camera"),
    (av.error.HTTPNotFoundError, "there is no such stream on this host (404); check the path"),
    (av.error.HTTPTooManyRequestsError, "the host refuses more connections (429); close other viewers"),
    (av.error.HTTPServerError, "the host has a fault of its own (5xx); look into its log"),
    (av.error.ProtocolNotFoundError, "it leads to a protocol that cannot be opened here"),
    (ConnectionResetError, "the host closed the connection; check the path, and whether it has too many viewers"),
    (av.error.EOFError, "the host closed the connection before a picture came; check the path"),
)


def _host_is_unknown(url: str) -> bool:
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return False
    if "://" not in url or not host:
        return False
    try:
        socket.getaddrinfo(host, None)
    except (OSError, UnicodeError):
        return True
    return False
