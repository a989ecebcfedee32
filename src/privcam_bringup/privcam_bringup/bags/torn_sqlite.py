"""Reads the whole rows at the begin of an SQLite file of rosbag2 that is torn or damaged."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

from privcam_bringup.bags.storage_file import StoredMessage, count_topics


class TornSqlite:
    """The messages of a .db3 file up to where it is torn, in the order in which they were written.

    See `StorageFile`. The file is not changed.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.topics, self.span_ns = count_topics(self._read())

    def messages(self, names: Sequence[str]) -> Iterator[StoredMessage]:
        """Yield the messages of these topics in the order in which they were written."""
        return (found for found in self._read() if found.topic in names)

    def _read(self) -> Iterator[StoredMessage]:
        try:
            with closing(sqlite3.connect(f"{self._file.resolve().as_uri()}?immutable=1", uri=True)) as base:
                # A file that is shorter than its header says is then read as far as it goes.
                base.execute("PRAGMA writable_schema = ON")
                rows = base.execute("SELECT id, name, type FROM topics WHERE serialization_format = 'cdr'")
                topics = {number: (str(name), str(msgtype)) for number, name, msgtype in rows}
                for number, stamp_ns, data in base.execute("SELECT topic_id, timestamp, data FROM messages"):
                    if number in topics:
                        yield StoredMessage(*topics[number], stamp_ns, data)
        except sqlite3.DatabaseError:
            return  # here the whole part ends
