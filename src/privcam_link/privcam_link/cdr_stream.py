"""Writes and reads single CDR values: XCDR1, little endian, with zero padding and limits checked before allocation."""

import struct

import numpy as np

from privcam_core.types.omega import InvalidOmega, SyncKey
from privcam_core.types.time import NS_PER_S

# Header of a little-endian CDR stream. Alignment counts from its end.
LITTLE_ENDIAN = b"\x00\x01\x00\x00"

_MAX_STRING_BYTES = 512


def _to_float32(value: float) -> float:
    """Return `value` in single precision; a value that is too large becomes infinite, which the receiver rejects."""
    with np.errstate(over="ignore"):
        return float(np.float32(value))


class CdrWriter:
    """Appends CDR values. Offsets for alignment count from the end of the four header bytes."""

    def __init__(self) -> None:
        self.data = bytearray(LITTLE_ENDIAN)

    def align(self, size: int) -> None:
        self.data += bytes(-(len(self.data) - len(LITTLE_ENDIAN)) % size)

    def numbers(self, codes: str, *values: float) -> None:
        for code, value in zip(codes, values, strict=True):
            self.align(struct.calcsize(code))
            self.data += struct.pack("<" + code, _to_float32(value) if code == "f" else value)

    def string(self, text: str) -> None:
        self.blob(text.encode() + b"\x00")

    def blob(self, data: bytes) -> None:
        self.numbers("I", len(data))
        self.data += data

    def key(self, key: SyncKey) -> None:
        self.string(key.camera_id)
        self.numbers("QiI", key.frame_id, key.stamp_ns // NS_PER_S, key.stamp_ns % NS_PER_S)


class CdrReader:
    """Reads CDR values one after the other. Every method names the field that it reads, for the error."""

    def __init__(self, payload: bytes) -> None:
        self._payload = memoryview(payload)
        self.offset = len(LITTLE_ENDIAN)

    def take(self, count: int, field: str) -> memoryview:
        end = self.offset + count
        if end > len(self._payload):
            raise InvalidOmega(field, f"needs {count} bytes, the payload ends after {len(self._payload) - self.offset}")
        part = self._payload[self.offset : end]
        self.offset = end
        return part

    def numbers(self, codes: str, field: str) -> tuple[int, ...]:
        values = []
        for code in codes:
            size = struct.calcsize(code)
            self.take(-(self.offset - len(LITTLE_ENDIAN)) % size, field)
            values.append(struct.unpack("<" + code, self.take(size, field))[0])
        return tuple(values)

    def blob(self, limit: int, field: str) -> bytes:
        (count,) = self.numbers("I", field)
        if count > limit:
            raise InvalidOmega(field, f"{count} bytes, limit {limit}")
        return bytes(self.take(count, field))

    def string(self, field: str) -> str:
        data = self.blob(_MAX_STRING_BYTES, field)
        if not data.endswith(b"\x00") or b"\x00" in data[:-1]:
            raise InvalidOmega(field, "is not a terminated string")
        try:
            return data[:-1].decode()
        except UnicodeDecodeError as error:
            raise InvalidOmega(field, f"is not UTF-8 ({error.reason})") from error

    def key(self, field: str) -> SyncKey:
        camera_id = self.string(f"{field}.camera_id")
        frame_id, seconds, nanoseconds = self.numbers("QiI", field)
        if nanoseconds >= NS_PER_S:
            raise InvalidOmega(f"{field}.stamp", f"{nanoseconds} ns do not fit into a second")
        return SyncKey(camera_id, frame_id, seconds * NS_PER_S + nanoseconds)
