"""Takes the packets of a stream or a file: those of live segments before they leave the playlist."""

import errno
import threading
import time
from collections import deque
from collections.abc import Generator
from typing import Any, cast

import av.error
from av.container import InputContainer
from av.packet import Packet

# What comes so much faster than its own time, for so long, was stored before. A camera sends the pictures since its
# last key frame at once.
_BURST_FACTOR, _BURST_S = 4.0, 10.0
_BURST_LOOK_S = 0.5
# Live segments wait in memory as they came, encoded: what the server offers ahead, which is some seconds.
_MAX_AHEAD_BYTES = 64 * 2**20
# By this error FFmpeg says that a connection has ended, and that it does not know whether there should have been more.
_END_OF_UNSIZED = errno.EIO


class PacketReader:
    """Packets of a container in their order. It closes the container.

    unsized: it comes over a network, and nobody says how long it is. `waited_ns` sums for how long packets had to be
    waited for.
    """

    def __init__(self, container: InputContainer, *, unsized: bool) -> None:
        self.waited_ns = 0
        self._container, self._unsized = container, unsized
        self._packets = cast("Generator[Packet[Any], None, None]", container.demux())
        self._early: deque[Packet[Any]] = deque()
        self._bytes = 0
        self._failure: Exception | None = None
        self._changed = threading.Condition()
        self._closing = False
        self._thread: threading.Thread | None = None

    def next(self) -> "Packet[Any] | None":
        """Return the next packet, None at the end. Raises FFmpegError or OSError."""
        asked_ns = time.monotonic_ns()
        with self._changed:
            if self._thread is not None:
                self._changed.wait_for(lambda: self._early or self._failure is not None)
            packet = self._early.popleft() if self._early else None
            self._bytes -= packet.size if packet is not None else 0
            self._changed.notify_all()
        if packet is None and self._failure is None:
            packet = self._read()
        self.waited_ns += time.monotonic_ns() - asked_ns
        if packet is None and self._failure is not None and not isinstance(self._failure, StopIteration):
            raise self._failure
        return packet

    def read_ahead(self) -> None:
        """Read in a thread from now on: a segment is there only for some time, whenever its frames are due."""
        self._thread = threading.Thread(target=self._read_ahead, name="segments", daemon=True)
        self._thread.start()

    def comes_at_once(self, began: float) -> bool:
        """Return whether it comes much faster than its own time, as a recording that is downloaded.

        began: when it was asked for, s of the monotonic clock. What is read for that is kept.
        """
        first_s = last_s = None
        while (packet := self._read()) is not None:
            self._early.append(packet)
            if packet.dts is not None and packet.time_base is not None:
                last_s = float(packet.dts * packet.time_base)
                first_s = last_s if first_s is None else first_s
            content_s, passed_s = (last_s or 0.0) - (first_s or 0.0), time.monotonic() - began
            if content_s > _BURST_S:
                return True
            if passed_s > _BURST_LOOK_S and content_s < _BURST_FACTOR * passed_s:
                return False
        content_s = (last_s or 0.0) - (first_s or 0.0)
        return isinstance(self._failure, StopIteration) and content_s > _BURST_FACTOR * (time.monotonic() - began)

    def close(self) -> None:
        """Close the file or the connection; a thread that waits for a segment does so when its time is over."""
        with self._changed:
            self._closing = True
            self._early.clear()
            self._changed.notify_all()
        if self._thread is None:
            self._close()

    def _close(self) -> None:
        self._packets.close()
        self._container.close()

    def _read(self) -> "Packet[Any] | None":
        """Return the next packet, None where there is none any more; `_failure` says why."""
        try:
            return next(self._packets)
        except StopIteration as end:
            self._failure = end
        except (av.error.FFmpegError, OSError) as error:
            ended = self._unsized and error.errno == _END_OF_UNSIZED
            self._failure = StopIteration() if ended else error
        return None

    def _read_ahead(self) -> None:
        while not self._closing and (packet := self._read()) is not None:
            with self._changed:
                self._early.append(packet)
                self._bytes += packet.size
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._closing or self._bytes < _MAX_AHEAD_BYTES)
        with self._changed:
            self._failure = self._failure or StopIteration()
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._closing)
        self._close()
