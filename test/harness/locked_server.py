"""An HTTP server of a camera that wants a user name and a password, and serves files."""

import base64
from http.server import SimpleHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from harness.web_server import WebServer


class LockedServer(WebServer):
    """Serves a folder on the loopback to whoever has the password, in the head or in the query of the request.

    asked: how many requests had the password.
    """

    def __init__(self, folder: Path, user: str, password: str) -> None:
        super().__init__(folder, self._refuse)
        self.asked = 0
        self._basic = "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
        self._words = [user], [password]

    def _refuse(self, request: SimpleHTTPRequestHandler) -> bool:
        query = parse_qs(urlsplit(request.path).query)
        if (
            request.headers.get("Authorization", "") == self._basic
            or (query.get("user"), query.get("pwd")) == self._words
        ):
            self.asked += 1
            return False
        request.send_response(401)
        request.send_header("WWW-Authenticate", 'Basic realm="camera"')
        request.send_header("Content-Length", "0")
        request.end_headers()
        return True
