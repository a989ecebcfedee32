"""A server on the loopback that speaks the protocol of chat completions, and says what a test wants it to say."""

import json
from collections.abc import Callable
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from types import TracebackType
from typing import Any

# What a server does with one request.
Reply = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """One request. `server.requests` has all of them."""

    server: "ChatServer"
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Note the request, and do what was told."""
        length = int(self.headers["Content-Length"])
        body = self.rfile.read(length)
        if len(body) < length:  # the client was killed
            self.close_connection = True
            return
        self.server.requests.append((self.path, self.headers, json.loads(body)))
        try:
            self.server.reply(self)
        except ConnectionError:  # the client gave up
            self.close_connection = True

    def send(self, status: int, body: bytes, **headers: str) -> None:
        """Send a whole reply."""
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", "Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class ChatServer(ThreadingHTTPServer):
    """Runs in a thread until the end of the block. `reply` may be changed at any time; `ending` is set at the end."""

    daemon_threads = True

    def __init__(self, reply: Reply) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.reply = reply
        self.requests: list[tuple[str, Message, Any]] = []
        self.ending = Event()
        self._thread = Thread(target=self.serve_forever, name="chat_server")

    @property
    def url(self) -> str:
        """What goes into vlm_url."""
        return f"http://127.0.0.1:{self.server_port}/v1"

    def __enter__(self) -> "ChatServer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.ending.set()
        self.shutdown()
        self._thread.join()
        self.server_close()


def completion(content: object) -> bytes:
    """The body of a chat completion whose message is `content`."""
    choice = {"index": 0, "message": {"role": "assistant", "content": content}, "finish_reason": "stop"}
    whole = {"id": "1", "object": "chat.completion", "created": 1, "model": "tiny", "choices": [choice]}
    return json.dumps(whole).encode()


def says(content: object) -> Reply:
    """Answer with this text."""
    return lambda handler: handler.send(200, completion(content))


def fails(status: int, **headers: str) -> Reply:
    """Answer with this status."""
    return lambda handler: handler.send(status, b'{"error": {"message": "no\\u001b[2J luck"}}', **headers)


def hangs(handler: Handler) -> None:
    """Take the request and say nothing."""
    handler.server.ending.wait()


def drips(handler: Handler) -> None:
    """Announce a reply, and send a byte of it now and then."""
    handler.send_response(200)
    handler.send_header("Content-Length", "1000000")
    handler.end_headers()
    while not handler.server.ending.wait(0.05):
        handler.wfile.write(b" ")


def in_turn(*replies: Reply) -> Reply:
    """Do one after the other, the last one for ever."""
    left = list(replies)

    def reply(handler: Handler) -> None:
        now = left.pop(0) if len(left) > 1 else left[0]
        now(handler)

    return reply
