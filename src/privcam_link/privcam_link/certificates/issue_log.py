"""The record of issued and revoked certificates: an append-only file of JSON lines."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from enum import Enum
from pathlib import Path

from privcam_core.storage import write_private
from privcam_link.credentials import CommonName


class Event(str, Enum):
    """Event of a certificate."""

    ISSUED = "issued"  # the first certificate of a generation
    RENEWED = "renewed"  # another certificate with another key for the same name
    REVOKED = "revoked"  # the name is denied from now on


@dataclass(frozen=True)
class Entry:
    """One line of the record. time, expires: ISO 8601 with time zone. serial: of the certificate, hexadecimal."""

    time: str
    event: Event
    common_name: str
    serial: str
    expires: str
    addresses: tuple[str, ...] = ()

    @property
    def identity(self) -> CommonName:
        """The parsed name."""
        return CommonName.parse(self.common_name)

    def days_left(self, now: datetime) -> float:
        """Return the days until the certificate expires; negative once it has."""
        return (datetime.fromisoformat(self.expires) - now).total_seconds() / 86400


class Record:
    """The record in `path`, and what follows from it. Raises ValueError for a file that is damaged."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._text = path.read_bytes() if path.exists() else b""
        self.entries: list[Entry] = []
        for number, line in enumerate(self._text.decode().splitlines(), 1):
            try:
                fields = json.loads(line)
                fields |= {"event": Event(fields["event"]), "addresses": tuple(fields["addresses"])}
                self.entries.append(Entry(**fields))
                CommonName.parse(self.entries[-1].common_name)
            except (ValueError, TypeError, KeyError) as error:
                raise ValueError(f"{path}: line {number} is no entry of the record ({error}); restore it") from error

    def append(self, entry: Entry) -> None:
        """Add one line, on disk before this returns: after a crash it is there whole or not at all."""
        self._text += (json.dumps(asdict(entry)) + "\n").encode()
        write_private(self._path, self._text)
        self.entries.append(entry)

    def current(self) -> Sequence[Entry]:
        """Return the newest certificate of everybody who is not revoked, by role and name."""
        newest: dict[str, Entry] = {}
        for entry in self.entries:
            if entry.event is Event.REVOKED:
                newest.pop(entry.common_name, None)
            else:
                newest[entry.common_name] = entry
        return sorted(newest.values(), key=lambda entry: entry.common_name)

    def find(self, name: str) -> Entry | None:
        """Return the certificate that `name` has now, None if it has none."""
        return next((entry for entry in self.current() if entry.identity.name == name), None)

    def last(self, name: str) -> Entry | None:
        """Return the last thing that happened to `name`, None if it was never heard of."""
        return next((entry for entry in reversed(self.entries) if entry.identity.name == name), None)
