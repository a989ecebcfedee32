"""The records of a growing MCAP file: chunks of messages, and the summary that makes the file readable."""

import zlib
from collections import Counter
from collections.abc import Sequence

from backports import zstd
from mcap.data_stream import RecordBuilder
from mcap.opcode import Opcode
from mcap.records import (
    Channel,
    Chunk,
    ChunkIndex,
    DataEnd,
    Footer,
    Header,
    McapRecord,
    Message,
    MessageIndex,
    Metadata,
    MetadataIndex,
    Schema,
    Statistics,
    SummaryOffset,
)
from mcap.writer import LIBRARY_IDENTIFIER, MCAP0_MAGIC

# A chunk is closed when it holds more than this, in bytes before compression.
CHUNK_BYTES = 1 << 20


def encode(*records: McapRecord) -> bytes:
    """Return the bytes of records."""
    builder = RecordBuilder()
    for record in records:
        record.write(builder)
    return bytes(builder.end())


class McapRecords:
    """Builds the records of one MCAP file with the profile `ros2`, in zstd-compressed chunks.

    Bytes that are not in the file yet are kept in `unsaved`; they belong at `position`.
    """

    def __init__(self) -> None:
        self.position = 0
        self.unsaved = bytearray(MCAP0_MAGIC + encode(Header("ros2", LIBRARY_IDENTIFIER)))
        self._schemas: list[Schema] = []
        self._channels: list[Channel] = []
        self._chunk_indexes: list[ChunkIndex] = []
        self._message_counts: Counter[int] = Counter()
        self._span_ns = (0, 0)
        self._chunk = RecordBuilder()
        self._chunk_span_ns = (0, 0)
        self._message_indexes: dict[int, MessageIndex] = {}

    @property
    def message_counts(self) -> Counter[int]:
        """Number of messages written so far, by channel id."""
        return self._message_counts

    @property
    def span_ns(self) -> tuple[int, int]:
        """Times of the first and the last message, ns since the epoch; zeros before the first message."""
        return self._span_ns

    def add_schema(self, name: str, definition: str) -> int:
        """Add a message definition and return its id. name: e.g. privcam_msgs/msg/Omega."""
        schema = Schema(id=len(self._schemas) + 1, name=name, encoding="ros2msg", data=definition.encode())
        self._schemas.append(schema)
        schema.write(self._chunk)
        return schema.id

    def add_channel(self, topic: str, schema_id: int, qos: str) -> int:
        """Add a topic of CDR messages and return its channel id. qos: the offered QoS profiles as YAML."""
        channel = Channel(
            id=len(self._channels) + 1,
            topic=topic,
            message_encoding="cdr",
            metadata={"offered_qos_profiles": qos},
            schema_id=schema_id,
        )
        self._channels.append(channel)
        channel.write(self._chunk)
        return channel.id

    def add_message(self, channel_id: int, stamp_ns: int, data: bytes) -> None:
        """Add a message. stamp_ns: time of its reception, ns since the epoch."""
        first, last = self._span_ns if self._message_counts else (stamp_ns, stamp_ns)
        self._span_ns = min(first, stamp_ns), max(last, stamp_ns)
        first, last = self._chunk_span_ns if self._message_indexes else (stamp_ns, stamp_ns)
        self._chunk_span_ns = min(first, stamp_ns), max(last, stamp_ns)
        self._message_counts[channel_id] += 1
        index = self._message_indexes.setdefault(channel_id, MessageIndex(channel_id, []))
        index.records.append((stamp_ns, self._chunk.count))
        Message(channel_id=channel_id, log_time=stamp_ns, data=data, publish_time=stamp_ns, sequence=0).write(
            self._chunk
        )
        if self._chunk.count > CHUNK_BYTES:
            self.close_chunk()

    def close_chunk(self) -> None:
        """Move the messages of the open chunk, if it holds any records, to `unsaved`."""
        plain = bytes(self._chunk.end())
        if not plain:
            return
        first_ns, last_ns = self._chunk_span_ns
        chunk = Chunk(
            compression="zstd",
            data=zstd.compress(plain),
            message_start_time=first_ns,
            message_end_time=last_ns,
            uncompressed_crc=zlib.crc32(plain),
            uncompressed_size=len(plain),
        )
        chunk_start = self._end
        self.unsaved += encode(chunk)
        index_start = self._end
        offsets = {}
        for channel_id, index in self._message_indexes.items():
            offsets[channel_id] = self._end
            self.unsaved += encode(index)
        self._chunk_indexes.append(
            ChunkIndex(
                chunk_length=index_start - chunk_start,
                chunk_start_offset=chunk_start,
                compression=chunk.compression,
                compressed_size=len(chunk.data),
                message_end_time=last_ns,
                message_index_length=self._end - index_start,
                message_index_offsets=offsets,
                message_start_time=first_ns,
                uncompressed_size=chunk.uncompressed_size,
            )
        )
        self._begin_chunk()

    def closing_section(self, metadata: Metadata) -> bytes:
        """Return what closes the file behind `unsaved`: the metadata, the summary and the footer."""
        start = self._end
        stored = encode(metadata)
        data_end = encode(DataEnd(0))
        groups: Sequence[tuple[Opcode, Sequence[McapRecord]]] = (
            (Opcode.SCHEMA, self._schemas),
            (Opcode.CHANNEL, self._channels),
            (Opcode.CHUNK_INDEX, self._chunk_indexes),
            (Opcode.METADATA_INDEX, [MetadataIndex(start, len(stored), metadata.name)]),
            (Opcode.STATISTICS, [self._statistics()]),
        )
        summary_start = start + len(stored) + len(data_end)
        summary = bytearray()
        offsets = []
        for opcode, records in groups:
            group = encode(*records)
            if group:
                offsets.append(SummaryOffset(opcode, summary_start + len(summary), len(group)))
            summary += group
        footer = Footer(summary_start, summary_start + len(summary), 0)
        return stored + data_end + bytes(summary) + encode(*offsets, footer) + MCAP0_MAGIC

    def mark_saved(self) -> None:
        """Forget `unsaved`, because it is in the file now."""
        self.position = self._end
        self.unsaved.clear()

    @property
    def _end(self) -> int:
        """Position in the file behind `unsaved`."""
        return self.position + len(self.unsaved)

    def _begin_chunk(self) -> None:
        self._chunk = RecordBuilder()
        self._chunk_span_ns = (0, 0)
        self._message_indexes = {}

    def _statistics(self) -> Statistics:
        return Statistics(
            attachment_count=0,
            channel_count=len(self._channels),
            channel_message_counts={channel.id: self._message_counts[channel.id] for channel in self._channels},
            chunk_count=len(self._chunk_indexes),
            message_count=self._message_counts.total(),
            message_end_time=self._span_ns[1],
            message_start_time=self._span_ns[0],
            metadata_count=1,
            schema_count=len(self._schemas),
        )
