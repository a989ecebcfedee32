"""The JSON that lies beside a plate, read as if somebody had changed it."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import Enum
from math import isfinite
from pathlib import Path
from typing import Any

SCHEMA = 1
# A record is some kilobytes; more than this is no record of ours.
_MOST_BYTES = 256 * 1024
_OTHERS_MAY_WRITE = 0o022


class PlateRejected(RuntimeError):
    """A stored plate that may not be used. The message says what was wrong, where, and what to do."""


class Reason(str, Enum):
    """Why a region of a plate is worth a look, the gravest first. The value is what the operator reads."""

    PERSON = "followed as a person"
    LIKENESS = "was taken for a person for a moment"
    FINDING = "the last check takes it for a person or a face"
    UNPROVEN = "moved, hidden, or seen too briefly"
    WEAK = "looks a little like a person, look closely"
    DECLARED = "declared to be no person"


@dataclass(frozen=True)
class Region:
    """A part of the plate that commissioning is not sure of.

    number: as on the sheet, from 1. box: x0, y0, x1, y1 px around it. share: of the picture, in [0, 1]. shown: share
    of its pixels that are in the plate, in [0, 1]. decision: "" (none was asked for or given), "shown" or "blank".
    """

    number: int
    reason: Reason
    box: tuple[int, int, int, int]
    share: float
    shown: float
    decision: str = ""

    @property
    def needs_decision(self) -> bool:
        """Whether an operator has to say what this is before the plate can be approved."""
        return self.reason == Reason.PERSON and not self.decision

    def to_json(self) -> dict[str, Any]:
        """Return the region as JSON values."""
        return {**asdict(self), "reason": self.reason.name.lower(), "box": list(self.box)}

    @classmethod
    def from_json(cls, value: object) -> "Region":
        """Read what `to_json` wrote. Raises ValueError for anything else."""
        keys = ("number", "reason", "box", "share", "shown", "decision")
        if not isinstance(value, dict) or set(value) != set(keys):
            raise ValueError(f"a region needs the keys {', '.join(keys)}, got {str(value)[:200]}")
        number, box = value["number"], value["box"]
        if type(number) is not int or not 0 < number < 256:
            raise ValueError(f"region number {number!r} is not in [1, 255]")
        if not isinstance(box, list) or len(box) != 4 or any(type(side) is not int for side in box):
            raise ValueError(f"region {number}: box {box!r} is not four whole numbers")
        for name in ("share", "shown"):
            part = value[name]
            if type(part) not in (int, float) or not isfinite(part) or not 0 <= part <= 1:
                raise ValueError(f"region {number}: {name} {part!r} is not in [0, 1]")
        if value["decision"] not in ("", "shown", "blank"):
            raise ValueError(f"region {number}: decision {value['decision']!r} is neither shown nor blank")
        known = {reason.name.lower(): reason for reason in Reason}
        if value["reason"] not in known:
            raise ValueError(f"region {number}: reason {value['reason']!r} is not one of {', '.join(known)}")
        x0, y0, x1, y1 = box
        reason = known[value["reason"]]
        return cls(number, reason, (x0, y0, x1, y1), value["share"], value["shown"], value["decision"])


def write_record(values: Mapping[str, Any]) -> bytes:
    """Return `values` as the bytes of a record."""
    return (json.dumps({"schema": SCHEMA, **values}, indent=2, ensure_ascii=False) + "\n").encode()


def read_record(path: Path, types: Mapping[str, type], advice: str) -> dict[str, Any]:
    """Return the values of a record that has exactly the keys of `types`, each of its type.

    Raises PlateRejected, which ends with `advice`.
    """
    try:
        values = json.loads(read_bytes(path, _MOST_BYTES, advice))
    except ValueError as error:
        raise PlateRejected(f"{path}: is not a JSON record ({error}). {advice}") from error
    if not isinstance(values, dict) or values.get("schema") != SCHEMA:
        found = values.get("schema") if isinstance(values, dict) else None
        raise PlateRejected(f"{path}: schema is {found!r}, this version reads {SCHEMA}. {advice}")
    del values["schema"]
    missing, unknown = sorted(set(types) - set(values)), sorted(set(values) - set(types))
    if missing or unknown:
        wrong = [f"{key} is missing" for key in missing] + [f"{key[:40]!r} is not known" for key in unknown]
        raise PlateRejected(f"{path}: {', '.join(wrong[:6])}. {advice}")
    for key, kind in types.items():
        if type(values[key]) is not kind:
            raise PlateRejected(f"{path}: {key} is {str(values[key])[:80]!r}, needs {kind.__name__}. {advice}")
    return values


def read_regions(path: Path, values: object, advice: str) -> tuple[Region, ...]:
    """Return the regions of a record. Raises PlateRejected."""
    try:
        return tuple(Region.from_json(value) for value in values) if isinstance(values, list) else ()
    except ValueError as error:
        raise PlateRejected(f"{path}: {error}. {advice}") from error


def read_bytes(path: Path, most: int, advice: str) -> bytes:
    """Return the content of a file of at most `most` bytes that nobody but its owner may write.

    Raises PlateRejected.
    """
    try:
        about = path.stat()
        if about.st_mode & _OTHERS_MAY_WRITE:
            raise PlateRejected(f"{path}: other users may write it (mode {about.st_mode & 0o777:o}). {advice}")
        if about.st_size > most:
            raise PlateRejected(f"{path}: has {about.st_size} bytes, the limit is {most}. {advice}")
        return path.read_bytes()
    except OSError as error:
        raise PlateRejected(f"{path}: cannot be read ({error.strerror}). {advice}") from error
