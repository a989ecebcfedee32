"""Make an MCAP file readable whose writer was killed in the middle of a checkpoint.

Such a file has whole messages up to the checkpoint before, then a part of the newer ones, and no end. What is whole is
kept, and an end without a summary is put behind it: MCAP allows that, and readers then scan the file.
"""

import os
import struct
from pathlib import Path
from typing import BinaryIO

from rosbags.rosbag2.storage_mcap import DECOMPRESSORS

MAGIC = b"\x89MCAP0\r\n"
# Kinds of records, as numbered by the MCAP specification.
HEADER, FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK, MESSAGE_INDEX = range(0x01, 0x08)
DATA_END = 0x0F
_DATA = (HEADER, SCHEMA, CHANNEL, MESSAGE, CHUNK, MESSAGE_INDEX)
_RECORD = struct.Struct("<BQ")
_FOOTER = struct.Struct("<QQI")
_TAIL_BYTES = _RECORD.size + _FOOTER.size + len(MAGIC)
# A data end and a footer that names no summary, without checksums.
_END = _RECORD.pack(DATA_END, 4) + bytes(4) + _RECORD.pack(FOOTER, _FOOTER.size) + bytes(_FOOTER.size) + MAGIC


class NotMcap(ValueError):
    """The file does not begin like an MCAP file."""


def repair(path: Path) -> bool:
    """Complete a torn MCAP file in place. Return whether it was torn. Raises NotMcap and OSError."""
    with path.open("r+b") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
        if file.read(len(MAGIC)) != MAGIC:
            raise NotMcap(f"{path} does not begin like an MCAP file; it cannot be repaired")
        if _is_complete(file, size):
            return False
        records = _records(file, len(MAGIC), size, _DATA)
        while records and records[-1][0] != HEADER and not _is_whole(file, *records[-1]):
            records.pop()
        end = records[-1][1] + records[-1][2] if records else len(MAGIC)
        file.truncate(end)
        file.seek(end)
        file.write(_END)
        return True


def _is_complete(file: BinaryIO, size: int) -> bool:
    """Whether the file ends with a footer whose summary, if any, is a chain of records that leads to it."""
    footer = size - _TAIL_BYTES
    if footer < len(MAGIC):
        return False
    file.seek(footer)
    tail = file.read()
    if _RECORD.unpack_from(tail) != (FOOTER, _FOOTER.size) or not tail.endswith(MAGIC):
        return False
    summary = _FOOTER.unpack_from(tail, _RECORD.size)[0] or footer
    chain = _records(file, summary, footer, tuple(range(SCHEMA, DATA_END + 1)))
    return (chain[-1][1] + chain[-1][2] if chain else summary) == footer


def _records(file: BinaryIO, start: int, end: int, kinds: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """Return (kind, position of the body, its size) of the records from `start` on, as far as they make sense."""
    records = []
    while start + _RECORD.size <= end:
        file.seek(start)
        kind, size = _RECORD.unpack(file.read(_RECORD.size))
        body = start + _RECORD.size
        if kind not in kinds or body + size > end:
            break
        records.append((kind, body, size))
        start = body + size
    return records


def _is_whole(file: BinaryIO, kind: int, body: int, size: int) -> bool:
    """Whether the last record of a torn file is known to be whole; only of a chunk can that be known."""
    if kind != CHUNK:
        return False
    file.seek(body)
    data = file.read(size)
    try:
        plain_size, _, name_size = struct.unpack_from("<QII", data, 16)
        compression = data[32 : 32 + name_size].decode()
        plain = DECOMPRESSORS[compression](data[32 + name_size + 8 :], plain_size)
    # A torn chunk is arbitrary bytes: whatever the decoder makes of them, it is not whole.
    except Exception:
        return False
    return len(plain) == plain_size
