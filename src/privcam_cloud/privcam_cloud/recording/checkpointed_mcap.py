"""An MCAP file that is complete after every checkpoint, however its writer ends.

An MCAP file ends with a summary, and readers want it. Here the summary is written at every checkpoint, and the next
checkpoint writes its messages over it, with a new summary behind. A writer that is killed loses what came after its
last checkpoint. The space is reserved before anything is overwritten: a full disk leaves the last checkpoint whole.
"""

import errno
import os
from pathlib import Path

from rosbags.interfaces import Connection
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from rosbags.rosbag2.storage_mcap import McapWriter

_NO_RESERVATION = (errno.EOPNOTSUPP, errno.EINVAL)  # file systems that cannot reserve space


class _Spool:
    """What the MCAP writer takes for its file: keeps what is written, counting on from the end of the file."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._start = 0
        self._size = 0

    def write(self, data: bytes | memoryview) -> int:
        self._parts.append(bytes(data))
        self._size += len(data)
        return len(data)

    def tell(self) -> int:
        return self._start + self._size

    def mark(self) -> tuple[int, int]:
        return len(self._parts), self._size

    def back_to(self, mark: tuple[int, int]) -> None:
        """Forget what was written after `mark`."""
        count, self._size = mark
        del self._parts[count:]

    def content(self) -> tuple[int, bytes]:
        """Return the position in the file and everything kept."""
        return self._start, b"".join(self._parts)

    def kept_in_file(self) -> None:
        """Go on behind what is kept, which is in the file now."""
        self._start += self._size
        self._parts, self._size = [], 0

    def close(self) -> None:
        """Nothing: the journal owns the file."""


class _CheckpointedMcap(McapWriter):
    def __init__(self, path: Path, compression: CompressionMode) -> None:
        super().__init__(path, compression)  # creates the file and writes its first bytes into it, again below
        self.bio.seek(0, os.SEEK_END)
        self.bio.flush()
        header = self.path.read_bytes()
        self._file = self.bio
        self.spool = _Spool()
        self.spool.write(header)
        self.bio = self.spool  # type: ignore[assignment]

    def close(self, version: int, metadata: str) -> None:
        """Put everything written so far into the file, with a summary behind, and stay open."""
        if self.chunk.bio.tell():
            self.close_chunk()
        mark = self.spool.mark()
        super().close(version, metadata)
        position, block = self.spool.content()
        self.spool.back_to(mark)
        self._write(position, block)
        self.spool.kept_in_file()

    def _write(self, position: int, block: bytes) -> None:
        file = self._file.fileno()
        try:
            os.posix_fallocate(file, position, len(block))
        except OSError as error:
            if error.errno not in _NO_RESERVATION:
                raise
        view = memoryview(block)
        while view:
            written = os.pwrite(file, view, position)
            view, position = view[written:], position + written
        os.ftruncate(file, position)

    def abort(self) -> None:
        """Close the file as the last checkpoint left it."""
        self._file.close()


class Journal(Writer):
    """A rosbag2 bag of version 9 in MCAP, zstd-compressed, whose files are complete after every `checkpoint`.

    path: folder of the bag, must not exist. Raises OSError.
    """

    STORAGE_PLUGINS = {StoragePlugin.MCAP: _CheckpointedMcap}  # type: ignore[dict-item]  # noqa: RUF012

    def __init__(self, path: Path) -> None:
        super().__init__(path, version=9, storage_plugin=StoragePlugin.MCAP)
        self.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
        self.open()

    def checkpoint(self) -> None:
        """Make the files complete. Raises OSError; then they are as after the last checkpoint."""
        storage = self.storage
        try:
            super().close()
        finally:
            self.storage = storage

    def finish(self) -> None:
        """Close the files without a further checkpoint."""
        self.metapath.with_suffix(".yaml.tmp").unlink(missing_ok=True)
        self.abort()

    def connection(self, topic: str, msgtype: str) -> Connection | None:
        """Return the connection of a topic, or None if it has none yet."""
        return next((c for c in self.connections if c.topic == topic and c.msgtype == msgtype), None)
