"""Parses the text of a model strictly: any deviation from the agreed form is rejected, and nothing is guessed."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any, NoReturn

from privcam_core.events.scene_report import RecognizedObject
from privcam_core.types.arrays import Box
from privcam_core.types.omega import Omega
from privcam_vlm.protocol.reply_schema import (
    GRID,
    LABELS,
    MAX_BEHAVIORS,
    MAX_CAPTION,
    MAX_NAME,
    MAX_OBJECTS,
    MAX_SUBJECTS_EACH,
)
from privcam_vlm.protocol.text import clean
from privcam_vlm.vlm_errors import NoReply, Reason

# More than the longest reply that keeps all limits, in characters.
MAX_TEXT = 16 * 1024
# Many models put their JSON into a Markdown fence, against the prompt. The content is taken as it is.
_FENCE = re.compile(r"```(?:json)?\s*\n(?P<inside>.*)\n\s*```", re.DOTALL)


@dataclass(frozen=True)
class Statement:
    """One event that a model sees. subject_ids: in rising order, all of them in the Ω."""

    label: str
    confidence: float
    subject_ids: tuple[int, ...]


@dataclass(frozen=True)
class Reply:
    """The reply of a model about one Ω. caption: clean, at most MAX_CAPTION characters."""

    caption: str
    statements: Sequence[Statement]
    objects: Sequence[RecognizedObject]


def parse_reply(text: str, omega: Omega) -> Reply:
    """Return the reply of a model about `omega`. Raises NoReply, with the reason and the field, for anything else."""
    fields = _fields(_load(text), "reply", ("caption", "behaviors", "objects"))
    subjects = {pose.subject_id: pose.box for pose in omega.poses}
    statements = [
        _statement(value, f"behaviors[{n}]", subjects)
        for n, value in enumerate(_list(fields["behaviors"], "behaviors", MAX_BEHAVIORS))
    ]
    if len({(said.label, said.subject_ids) for said in statements}) < len(statements):
        _reject(Reason.SCHEMA, "behaviors", "says the same of the same subjects twice")
    size = omega.environment.width, omega.environment.height
    objects = [
        _found(value, f"objects[{n}]", subjects, size)
        for n, value in enumerate(_list(fields["objects"], "objects", MAX_OBJECTS))
    ]
    return Reply(_text(fields["caption"], "caption", MAX_CAPTION), statements, objects)


def _load(text: str) -> object:
    if len(text) > MAX_TEXT:
        _reject(Reason.LENGTH, "reply", f"has {len(text)} characters, the limit is {MAX_TEXT}")
    fenced = _FENCE.fullmatch(text.strip())
    try:
        return json.loads(
            fenced["inside"] if fenced else text, object_pairs_hook=_without_duplicates, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        raise NoReply(Reason.JSON, f"reply: is not JSON: {error}") from error


def _without_duplicates(pairs: Sequence[tuple[str, object]]) -> Mapping[str, object]:
    # Readers of JSON differ in which of two values for one name they take.
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a name stands twice in one object")
    return dict(pairs)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON number")


def _statement(value: object, where: str, subjects: Mapping[int, Box]) -> Statement:
    fields = _fields(value, where, ("label", "confidence", "subject_ids"))
    label = fields["label"]
    if not isinstance(label, str) or label not in LABELS:
        _reject(Reason.LABEL, f"{where}.label", f"{_shown(label)} is not in the list")
    ids = [
        _subject(one, f"{where}.subject_ids", subjects)
        for one in _list(fields["subject_ids"], f"{where}.subject_ids", MAX_SUBJECTS_EACH)
    ]
    if not ids:
        _reject(Reason.SUBJECT, f"{where}.subject_ids", "is empty")
    return Statement(str(label), _confidence(fields["confidence"], where), tuple(sorted(set(ids))))


def _found(value: object, where: str, subjects: Mapping[int, Box], size: tuple[int, int]) -> RecognizedObject:
    fields = _fields(value, where, ("label", "confidence", "subject_id", "box"))
    label = _text(fields["label"], f"{where}.label", MAX_NAME)
    confidence = _confidence(fields["confidence"], where)
    box = _box(fields["box"], f"{where}.box", size)
    if _is_integer(fields["subject_id"]) and fields["subject_id"] == 0:
        return RecognizedObject(label, confidence, 0, box)
    subject_id = _subject(fields["subject_id"], f"{where}.subject_id", subjects)
    # The box of a subject is known better from Ω.
    return RecognizedObject(label, confidence, subject_id, subjects[subject_id])


def _fields(value: object, where: str, names: Sequence[str]) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        _reject(Reason.SCHEMA, where, "is not an object")
    if set(value) != set(names):
        wrong = sorted(set(value) ^ set(names))
        _reject(Reason.SCHEMA, where, f"has missing or unknown fields: {', '.join(map(_shown, wrong[:5]))}")
    return value


def _list(value: object, where: str, max_length: int) -> Sequence[object]:
    if not isinstance(value, list):
        _reject(Reason.SCHEMA, where, "is not a list")
    if len(value) > max_length:
        _reject(Reason.LENGTH, where, f"has {len(value)} items, the limit is {max_length}")
    return value


def _text(value: object, where: str, max_length: int) -> str:
    if not isinstance(value, str):
        _reject(Reason.SCHEMA, where, "is not a text")
    if len(value) > max_length:
        _reject(Reason.LENGTH, where, f"has {len(value)} characters, the limit is {max_length}")
    cleaned = clean(value)
    if not cleaned:
        _reject(Reason.SCHEMA, where, "is empty")
    return cleaned


def _confidence(value: object, where: str) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not (isfinite(value) and 0 <= value <= 1):
        _reject(Reason.SCHEMA, f"{where}.confidence", f"{_shown(value)} is not a number in [0, 1]")
    return float(value)


def _subject(value: object, where: str, subjects: Mapping[int, Box]) -> int:
    if not _is_integer(value):
        _reject(Reason.SCHEMA, where, f"{_shown(value)} is not a whole number")
    if value not in subjects:
        _reject(Reason.SUBJECT, where, f"{_shown(value)} is nobody in this Ω")
    return int(value)  # type: ignore[call-overload, no-any-return]


def _box(value: object, where: str, size: tuple[int, int]) -> Box:
    numbers = _list(value, where, 4)
    if len(numbers) != 4 or not all(_is_integer(n) and 0 <= n <= GRID for n in numbers):  # type: ignore[operator]
        _reject(Reason.SCHEMA, where, f"is not four whole numbers in [0, {GRID}]")
    x0, y0, x1, y1 = (float(n) / GRID for n in numbers)  # type: ignore[arg-type]
    if x1 <= x0 or y1 <= y0:
        _reject(Reason.SCHEMA, where, "is empty or turned round")
    width, height = size
    return x0 * width, y0 * height, x1 * width, y1 * height


def _is_integer(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _shown(value: object) -> str:
    return clean(repr(value)[:60])


def _reject(reason: Reason, where: str, what: str) -> NoReturn:
    raise NoReply(reason, f"{where}: {what}")
