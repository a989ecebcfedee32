"""A plain web server on the loopback."""

import threading
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any


class WebServer:
    """A plain web server of a folder. handle: answers a path itself, where it returns True."""

    def __init__(
        self, folder: Path, handle: Callable[[SimpleHTTPRequestHandler], bool] = lambda _request: False
    ) -> None:
        class Handler(SimpleHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                try:
                    if not handle(self):
                        super().do_GET()
                except OSError:
                    self.close_connection = True  # the reader has gone

            def log_message(self, *_arguments: Any) -> None:
                """Say nothing: the output of a test may be searched for a password."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        self._server.daemon_threads = True
        self.host = f"127.0.0.1:{self._server.server_port}"
        self.url = f"http://{self.host}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> "WebServer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
