"""Reads the whole records at the begin of an MCAP file that has no end, as after a power cut."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from mcap.records import Channel, Message, Schema
from mcap.stream_reader import StreamReader

from privcam_bringup.bags.storage_file import StoredMessage, count_topics

# A larger record is a torn length.
MAX_RECORD_BYTES = 1 << 30


class TornMcap:
    """The messages of an MCAP file up to where it is torn, in the order of the file. See `StorageFile`."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self.topics, self.span_ns = count_topics(self._read())

    def messages(self, names: Sequence[str]) -> Iterator[StoredMessage]:
        """Yield the messages of these topics in the order of the file."""
        return (found for found in self._read() if found.topic in names)

    def _read(self) -> Iterator[StoredMessage]:
        schemas: dict[int, str] = {}
        channels: dict[int, tuple[str, str]] = {}
        with self._file.open("rb") as file:
            records = iter(StreamReader(file, validate_crcs=True, record_size_limit=MAX_RECORD_BYTES).records)
            while True:
                try:
                    record = next(records)
                # Behind the tear are arbitrary bytes: in whatever way the decoder fails, here the whole part ends.
                except Exception:
                    return
                if isinstance(record, Schema):
                    schemas[record.id] = record.name
                elif isinstance(record, Channel) and record.message_encoding == "cdr":
                    channels[record.id] = record.topic, schemas.get(record.schema_id, "")
                elif isinstance(record, Message) and record.channel_id in channels:
                    yield StoredMessage(*channels[record.channel_id], record.log_time, record.data)
