"""An HTTP server of a camera that wants a user name and a password, and serves files."""

import base64
import threading
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit


class LockedServer:
    """Serves a folder on the loopback to whoever has the password, in the head or in the query of the request.

    asked: how many requests had the password.
    """

    def __init__(self, folder: Path, user: str, password: str) -> None:
        self.asked = 0

        def admit(header: str, query: dict[str, list[str]]) -> bool:
            basic = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
            admitted = header == basic or (query.get("user"), query.get("pwd")) == ([user], [password])
            self.asked += admitted
            return admitted

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, admit, directory=str(folder)))
        self.host = f"127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def __enter__(self) -> "LockedServer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, admit: Callable[[str, dict[str, list[str]]], bool], *arguments: Any, directory: str) -> None:
        self._admit = admit
        super().__init__(*arguments, directory=directory)

    def do_GET(self) -> None:
        if self._admit(self.headers.get("Authorization", ""), parse_qs(urlsplit(self.path).query)):
            super().do_GET()
            return
        self.send_response(401)
        self.send_header("WWW-Authenticate", 'Basic realm="camera"')
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Say nothing: the output of a test is searched for the password."""
