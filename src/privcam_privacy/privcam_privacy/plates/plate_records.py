"""Reads and writes the JSON record beside a stored plate. A record is not trusted: every value is checked."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from hmac import compare_digest
from math import isfinite
from pathlib import Path
from typing import Any

from privcam_core.storage import read_private
from privcam_core.storage_key import StorageKey

SCHEMA = 2
# A record has some kilobytes. A larger file is not one of ours.
_MAX_BYTES = 256 * 1024
# Mode bits of a file that users other than its owner may write.
_OTHERS_MAY_WRITE = 0o022


class PlateRejected(RuntimeError):
    """A stored plate that must not be used. The message names the file, the problem and the remedy."""


class Reason(str, Enum):
    """Why an operator has to review a region of a plate, the most serious reason first. The value is stored on disk."""

    PERSON = "person"
    LIKENESS = "likeness"
    INSPECTION = "finding"
    UNCONFIRMED = "unproven"
    LOW_CONFIDENCE = "weak"
    DECLARED = "declared"

    @property
    def text(self) -> str:
        """The reason as the operator reads it."""
        return _REASON_TEXTS[self]


_REASON_TEXTS = {
    Reason.PERSON: "followed as a person",
    Reason.LIKENESS: "was taken for a person for a moment",
    Reason.INSPECTION: "the last check takes it for a person or a face",
    Reason.UNCONFIRMED: "moved, hidden, or seen too briefly",
    Reason.LOW_CONFIDENCE: "looks a little like a person, look closely",
    Reason.DECLARED: "declared to be no person",
}


@dataclass(frozen=True)
class Region:
    """A part of the plate that an operator has to review.

    number: as on the sheet, from 1. box: x0, y0, x1, y1 px around it. fraction: of the picture, in [0, 1].
    confirmed_fraction: fraction of its pixels that are in the plate, in [0, 1]. decision: of the operator, "shown" or
    "blank"; "" where none was asked for or given.
    """

    number: int
    reason: Reason
    box: tuple[int, int, int, int]
    fraction: float
    confirmed_fraction: float
    decision: str = ""

    @property
    def needs_decision(self) -> bool:
        """Whether the operator has to decide about this region before the plate can be approved."""
        return self.reason == Reason.PERSON and not self.decision

    def to_json(self) -> dict[str, Any]:
        """Return the region as JSON values."""
        return {
            "number": self.number,
            "reason": self.reason.value,
            "box": list(self.box),
            "share": self.fraction,
            "shown": self.confirmed_fraction,
            "decision": self.decision,
        }

    @classmethod
    def from_json(cls, value: object) -> "Region":
        """Read the result of `to_json`. Raises ValueError for anything else."""
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
        known = {reason.value: reason for reason in Reason}
        if value["reason"] not in known:
            raise ValueError(f"region {number}: reason {value['reason']!r} is not one of {', '.join(known)}")
        x0, y0, x1, y1 = box
        reason = known[value["reason"]]
        return cls(number, reason, (x0, y0, x1, y1), value["share"], value["shown"], value["decision"])


def write_record(values: Mapping[str, Any], key: StorageKey, purpose: str, *files: bytes) -> bytes:
    """Return `values` as the bytes of a record that is sealed together with the bytes of its files.

    purpose: approved or pending. values: with a camera_id, without a seal.
    """
    seal = key.seal(purpose, values["camera_id"], _to_json(values), *files)
    return _to_json({**values, "seal": seal.hex()})


def check_seal(
    path: Path, values: dict[str, Any], key: StorageKey, purpose: str, files: Sequence[bytes], advice: str
) -> None:
    """Remove the seal from the values of a record, and check that this machine made it for these values and files.

    path: of the record. values: as from `read_record`. Raises PlateRejected.
    """
    given = values.pop("seal")
    expected = key.seal(purpose, values["camera_id"], _to_json(values), *files).hex()
    if not compare_digest(given.encode(), expected.encode()):
        raise PlateRejected(
            f"{path}: the seal is wrong: the plate was changed after it was made, or made on another machine. {advice}"
        )


def _to_json(values: Mapping[str, Any]) -> bytes:
    return (json.dumps({"schema": SCHEMA, **values}, indent=2, ensure_ascii=False) + "\n").encode()


def read_record(path: Path, types: Mapping[str, type], advice: str) -> dict[str, Any]:
    """Return the values of a record that has exactly the keys of `types` and a seal, each of its type.

    Raises PlateRejected; its message ends with `advice`.
    """
    try:
        values = json.loads(read_bytes(path, _MAX_BYTES, advice))
    except ValueError as error:
        raise PlateRejected(f"{path}: is not a JSON record ({error}). {advice}") from error
    if not isinstance(values, dict) or values.get("schema") != SCHEMA:
        found = values.get("schema") if isinstance(values, dict) else None
        raise PlateRejected(f"{path}: schema is {found!r}, this version reads {SCHEMA}. {advice}")
    del values["schema"]
    types = {**types, "seal": str}
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


def read_bytes(path: Path, max_bytes: int, advice: str) -> bytes:
    """Return the content of a file of this user of at most `max_bytes` bytes that nobody else may write.

    Links are not followed, and a pipe does not make it wait. Raises PlateRejected.
    """
    try:
        data = read_private(path, max_bytes + 1, forbidden=_OTHERS_MAY_WRITE)
    except ValueError as error:
        raise PlateRejected(f"{error}. {advice}") from error
    except OSError as error:
        raise PlateRejected(f"{path}: cannot be read ({error.strerror}). {advice}") from error
    if len(data) > max_bytes:
        raise PlateRejected(f"{path}: has more than {max_bytes} bytes. {advice}")
    return data
