"""Integers of few bytes: seven bits a byte, the lowest first; signed ones as zigzag, so that small steps stay small."""

# A varint of the protocol has at most this many bytes, which is enough for 64 bits.
MAX_BYTES = 10
_CONTINUES = 0x80


class MalformedMessage(ValueError):
    """Bytes that are no message of the live protocol. The message says what is wrong, and at which byte."""


class Writer:
    """Collects the bytes of a message."""

    def __init__(self, kind: int) -> None:
        self._data = bytearray((kind,))

    def byte(self, value: int) -> None:
        """Append one byte, 0 to 255."""
        self._data.append(value)

    def unsigned(self, value: int) -> None:
        """Append a number from 0 on. Raises ValueError for a negative one."""
        if value < 0:
            raise ValueError(f"{value} is negative, and would never end")
        while value >= _CONTINUES:
            self._data.append(value & 0x7F | _CONTINUES)
            value >>= 7
        self._data.append(value)

    def signed(self, value: int) -> None:
        """Append a number of either sign."""
        self.unsigned(2 * value if value >= 0 else -2 * value - 1)

    def raw(self, data: bytes) -> None:
        """Append bytes whose number the reader knows."""
        self._data += data

    def text(self, text: str) -> None:
        """Append a text in UTF-8, after its length in bytes."""
        data = text.encode()
        self.unsigned(len(data))
        self._data += data

    def finish(self) -> bytes:
        """Return the message."""
        return bytes(self._data)


class Reader:
    """Takes a message apart. Every method raises MalformedMessage where the bytes end too early."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def byte(self) -> int:
        """Return the next byte."""
        return self.raw(1)[0]

    def unsigned(self) -> int:
        """Return a number from 0 on."""
        value = 0
        for place in range(MAX_BYTES):
            byte = self.byte()
            value |= (byte & 0x7F) << 7 * place
            if byte < _CONTINUES:
                return value
        raise MalformedMessage(f"byte {self._at}: a number has more than {MAX_BYTES} bytes")

    def signed(self) -> int:
        """Return a number of either sign."""
        value = self.unsigned()
        return -(value + 1) // 2 if value % 2 else value // 2

    def raw(self, count: int) -> bytes:
        """Return the next `count` bytes."""
        end = self._at + count
        if end > len(self._data):
            raise MalformedMessage(
                f"byte {self._at}: {count} bytes are to follow, only {len(self._data) - self._at} do"
            )
        data, self._at = self._data[self._at : end], end
        return data

    def text(self) -> str:
        """Return a text."""
        try:
            return self.raw(self.unsigned()).decode()
        except UnicodeDecodeError as error:
            raise MalformedMessage(f"byte {self._at}: a text is not UTF-8: {error.reason}") from error

    def finish(self) -> None:
        """Raise MalformedMessage if bytes are left."""
        if self._at < len(self._data):
            raise MalformedMessage(f"byte {self._at}: {len(self._data) - self._at} bytes are left over")
