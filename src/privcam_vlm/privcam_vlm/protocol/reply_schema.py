"""Labels and limits of a reply, and its JSON schema for a server."""

from collections.abc import Sequence
from typing import Any

LABELS = (
    "standing",
    "walking",
    "sitting",
    "sitting_down",
    "lying",
    "bending",
    "fall",
    "getting_up",
    "pushing_fighting",
    "smoking_like",
    "loitering",
)
# Characters of the caption, one sentence.
MAX_CAPTION = 200
# Characters of the name of an object.
MAX_NAME = 40
MAX_BEHAVIORS = 16
MAX_OBJECTS = 16
MAX_SUBJECTS_EACH = 8
# Coordinates go from 0 to this over the width and the height of the picture, whatever its size in px.
GRID = 1000


def reply_schema(subject_ids: Sequence[int]) -> dict[str, Any]:
    """Return the JSON schema of a reply about these subjects.

    Only keywords that servers commonly enforce are used; the parser checks the rest, and all of it again.
    """
    subject: dict[str, Any] = {"type": "integer"}
    confidence = {"type": "number", "minimum": 0, "maximum": 1}
    behavior = {
        "label": {"type": "string", "enum": list(LABELS)},
        "confidence": confidence,
        "subject_ids": {
            "type": "array",
            # An enum may not be empty; without subjects there is no behaviour either.
            "items": {**subject, "enum": list(subject_ids)} if subject_ids else subject,
            "minItems": 1,
            "maxItems": MAX_SUBJECTS_EACH,
        },
    }
    found = {
        "label": {"type": "string", "description": f"at most {MAX_NAME} characters"},
        "confidence": confidence,
        "subject_id": {**subject, "enum": [0, *subject_ids]},
        "box": {
            "type": "array",
            "items": {"type": "integer", "minimum": 0, "maximum": GRID},
            "minItems": 4,
            "maxItems": 4,
        },
    }
    return _object(
        {
            "caption": {"type": "string", "description": f"one sentence, at most {MAX_CAPTION} characters"},
            "behaviors": _list(behavior, MAX_BEHAVIORS if subject_ids else 0),
            "objects": _list(found, MAX_OBJECTS),
        }
    )


def _list(properties: dict[str, Any], max_items: int) -> dict[str, Any]:
    return {"type": "array", "items": _object(properties), "maxItems": max_items}


def _object(properties: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }
