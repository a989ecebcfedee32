"""Refuses requests that a page of somebody else made the browser send, and says what the browser may do with ours."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
Event = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Event]]
Send = Callable[[Event], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# A name of somebody else that leads to the loopback (DNS rebinding) is none of these.
HOSTS = frozenset({"127.0.0.1", "localhost", "[::1]"})
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    b"content-security-policy": POLICY.encode(),
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"referrer-policy": b"no-referrer",
    b"x-content-type-options": b"nosniff",
}
# Where the route says nothing else: nobody keeps what was seen here, and a new version of the page is taken at once.
NOT_KEPT = b"no-store"
# Close code of a WebSocket that was refused (RFC 6455: policy violation).
POLICY_VIOLATION = 1008
MISDIRECTED = 421


class Guard:
    """Wraps the application."""

    def __init__(self, app: App) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection, as ASGI calls it."""
        kind = scope["type"]
        if kind not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        given = {name: value.decode("latin-1") for name, value in scope["headers"]}
        host = given.get(b"host", "")
        if kind == "websocket":
            # Browsers let any page open a WebSocket to anywhere, and only tell from which page.
            if _is_ours(host) and given.get(b"origin") in (f"http://{host}", f"https://{host}"):
                await self._app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": POLICY_VIOLATION})
            return
        sealed = _with_headers(send)
        if _is_ours(host):
            await self._app(scope, receive, sealed)
            return
        text = f"The console is not at {host[:80]!r}: open it as http://127.0.0.1, with its port.\n".encode()
        headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(text)).encode())]
        await sealed({"type": "http.response.start", "status": MISDIRECTED, "headers": headers})
        await sealed({"type": "http.response.body", "body": text})


def _is_ours(host: str) -> bool:
    """Say whether a Host header names the loopback. The port may be that of a tunnel."""
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        return host.lower() in HOSTS
    return name.lower() in HOSTS and port.isascii() and port.isdecimal()


def _with_headers(send: Send) -> Send:
    async def sealed(event: Event) -> None:
        if event["type"] == "http.response.start":
            headers = list(event.get("headers", ()))
            names = {name.lower() for name, _ in headers}
            headers += [(name, value) for name, value in HEADERS.items() if name not in names]
            if b"cache-control" not in names:
                headers.append((b"cache-control", NOT_KEPT))
            event = {**event, "headers": headers}
        await send(event)

    return sealed
