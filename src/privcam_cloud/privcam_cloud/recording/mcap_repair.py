"""Makes an MCAP file readable again whose writer was killed in the middle of a checkpoint.

Such a file has whole messages up to the checkpoint before, then a part of the newer ones, and no end. The repair keeps
the whole messages and puts an end without a summary behind them: MCAP allows that, and readers then scan the file.
"""

import os
import struct
from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, NamedTuple

from mcap.data_stream import ReadDataStream
from mcap.opcode import Opcode
from mcap.records import Chunk, DataEnd, Footer
from mcap.stream_reader import get_chunk_data_stream
from mcap.writer import MCAP0_MAGIC

from privcam_cloud.recording.mcap_records import encode

_DATA = (Opcode.HEADER, Opcode.SCHEMA, Opcode.CHANNEL, Opcode.MESSAGE, Opcode.CHUNK, Opcode.MESSAGE_INDEX)
_SUMMARY = tuple(opcode for opcode in Opcode if Opcode.SCHEMA <= opcode <= Opcode.DATA_END)
# Every record begins with its opcode and the size of its body.
_PREFIX = struct.Struct("<BQ")
# A footer that names no summary and holds no checksum; all footers have this size.
_NO_SUMMARY = encode(Footer(0, 0, 0))
_END = encode(DataEnd(0)) + _NO_SUMMARY + MCAP0_MAGIC


class NotMcap(ValueError):
    """The file does not begin like an MCAP file."""


class _Record(NamedTuple):
    """Where a record lies. body: position behind the prefix. size: of the body, bytes."""

    opcode: int
    body: int
    size: int

    @property
    def end(self) -> int:
        return self.body + self.size


def repair(path: Path) -> bool:
    """Complete a torn MCAP file in place. Return whether it was torn. Raises NotMcap and OSError."""
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        if file.read(len(MCAP0_MAGIC)) != MCAP0_MAGIC:
            raise NotMcap(f"{path} does not begin like an MCAP file; it cannot be repaired")
        if _is_complete(file, size):
            return False
        records = _scan(file, len(MCAP0_MAGIC), size, _DATA)
        while records and records[-1].opcode != Opcode.HEADER and not _is_whole_chunk(file, records[-1]):
            records.pop()
        end = records[-1].end if records else len(MCAP0_MAGIC)
        file.truncate(end)
        file.seek(end)
        file.write(_END)
        return True


def _is_complete(file: BinaryIO, size: int) -> bool:
    """Return whether the file ends with a footer whose summary, if any, is a chain of records that leads to it."""
    footer_start = size - len(_NO_SUMMARY) - len(MCAP0_MAGIC)
    if footer_start < len(MCAP0_MAGIC):
        return False
    file.seek(footer_start)
    tail = file.read()
    if tail[: _PREFIX.size] != _NO_SUMMARY[: _PREFIX.size] or not tail.endswith(MCAP0_MAGIC):
        return False
    footer = Footer.read(ReadDataStream(BytesIO(tail[_PREFIX.size :])))
    summary_start = footer.summary_start or footer_start
    summary = _scan(file, summary_start, footer_start, _SUMMARY)
    return (summary[-1].end if summary else summary_start) == footer_start


def _scan(file: BinaryIO, start: int, end: int, opcodes: Sequence[int]) -> list[_Record]:
    """Return the records from `start` on, up to the first that is of another kind or reaches beyond `end`."""
    records: list[_Record] = []
    while start + _PREFIX.size <= end:
        file.seek(start)
        opcode, size = _PREFIX.unpack(file.read(_PREFIX.size))
        record = _Record(opcode, start + _PREFIX.size, size)
        if opcode not in opcodes or record.end > end:
            break
        records.append(record)
        start = record.end
    return records


def _is_whole_chunk(file: BinaryIO, record: _Record) -> bool:
    """Return whether the last record of a torn file is a chunk that can be read; others cannot be checked."""
    if record.opcode != Opcode.CHUNK:
        return False
    file.seek(record.body)
    data = file.read(record.size)
    try:
        chunk = Chunk.read(ReadDataStream(BytesIO(data)))
        _, size = get_chunk_data_stream(chunk, validate_crc=True)
    # A torn chunk holds arbitrary bytes: if the decoder fails in any way, the chunk is not whole.
    except Exception:
        return False
    return bool(size == chunk.uncompressed_size)
