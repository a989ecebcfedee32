"""Small servers of streams: real sockets, with what cameras and web servers send."""

import socket
import threading
import time
from collections.abc import Sequence
from types import TracebackType


class TcpServer:
    """Sends the same bytes to everybody who connects, in pieces with `pause_s` between, and then closes."""

    def __init__(self, data: bytes, pause_s: float = 0.0, piece: int = 188 * 20) -> None:
        self._data, self._pause_s, self._piece = data, pause_s, piece
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.url = f"tcp://127.0.0.1:{self._socket.getsockname()[1]}"
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> "TcpServer":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()

    def _serve(self) -> None:
        while not self._ending.is_set():
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                try:
                    for at in range(0, len(self._data), self._piece):
                        connection.sendall(self._data[at : at + self._piece])
                        if self._ending.wait(self._pause_s):
                            break
                except OSError:
                    continue  # the reader has gone


class LivePlaylist:
    """A playlist of the last three segments, into which a new one comes when the one before has passed.

    phase: how much of the last segment's time had passed at the beginning.
    """

    def __init__(self, segments: Sequence[str], segment_s: float, phase: float = 0.0) -> None:
        self._segments, self._segment_s = segments, segment_s
        self._began = time.monotonic() - phase * segment_s

    def text(self) -> str:
        """Return the playlist of now. Three segments are there at the beginning."""
        last = min(len(self._segments), 3 + int((time.monotonic() - self._began) / self._segment_s))
        first = max(0, last - 3)
        lines = ["#EXTM3U", "#EXT-X-VERSION:3", f"#EXT-X-TARGETDURATION:{int(self._segment_s + 0.999)}"]
        lines += [f"#EXT-X-MEDIA-SEQUENCE:{first}"]
        lines += [f"#EXTINF:{self._segment_s},\n{name}" for name in self._segments[first:last]]
        return "\n".join(lines) + "\n"
