"""Names that travel: the camera_id of κ, the ROS namespace of a camera, the consumer of a backlog."""

import re

CAMERA_ID_PATTERN = r"[a-z0-9_]{1,64}"
CAMERA_ID_RULE = "1 to 64 of a-z, 0-9 and _"
NAMESPACE_RULE = f"{CAMERA_ID_RULE}, no digit first"

_CAMERA_ID = re.compile(CAMERA_ID_PATTERN)
_LEADING_DIGIT = re.compile(r"[0-9]")


def is_camera_id(text: str) -> bool:
    """Return whether `text` may name a camera."""
    return _CAMERA_ID.fullmatch(text) is not None


def is_camera_namespace(text: str) -> bool:
    """Return whether `text` may name a camera and the ROS namespace of its nodes, which cannot begin with a digit."""
    return is_camera_id(text) and _LEADING_DIGIT.match(text) is None


def camera_id_error(text: str) -> str:
    """Return the text of the error for a name that is not a camera_id."""
    return f"{text[:80]!r} is not {CAMERA_ID_RULE}"


def namespace_error(text: str) -> str:
    """Return the text of the error for a name that is not a camera_id and ROS namespace."""
    return f"{text[:80]!r} is not {NAMESPACE_RULE}"


def require_camera_id(text: str) -> str:
    """Return `text` if it may name a camera. Raises ValueError otherwise."""
    if not is_camera_id(text):
        raise ValueError(f"camera_id: {camera_id_error(text)}")
    return text
