"""Tells whether a subject may be hidden by another one, or may have left the picture."""

from collections.abc import Iterable

import numpy as np

from privcam_core.types.boxes import intersections
from privcam_core.types.omega import Environment
from privcam_recognition.duplicate_tracks import is_same_body
from privcam_recognition.subject_history import Subject

# A lost subject that was last seen this near to another one to the side, in H, may be behind or before it.
BEHIND_H = 0.25
# A lost subject that was last seen this near to an edge of the picture, in H, may have gone out there: walking people
# move that far between two frames.
EDGE_H = 0.1


def is_behind_another(subject: Subject, subjects: Iterable[Subject]) -> bool:
    """Return whether a subject out of sight was last seen beside another one whose body was seen with confidence."""
    confident = [other.track_buffer for other in subjects if other is not subject and other.track_buffer.was_confident]
    present = [(buffer, box) for buffer in confident if (box := buffer.box_at(subject.last)) is not None]
    if not present or subject.height_px is None:
        return False
    margin = BEHIND_H * subject.height_px
    near = np.array([subject.box]) + np.array([-margin, 0.0, margin, 0.0])
    touching = intersections(near, np.array([box for _, box in present]))[0] > 0
    beside = [buffer for (buffer, _), touches in zip(present, touching, strict=True) if touches]
    track = subject.track_buffer.track()
    # A second track of the same body hides nobody.
    return not all(is_same_body(track, buffer.track()) for buffer in beside)


def is_at_edge(subject: Subject, picture: Environment, *, lost: bool) -> bool:
    """Return whether a subject is cut off by the lower edge, or, if `lost`, was at the lower edge or at a side."""
    x0, _, x1, y1 = subject.box
    if not lost or subject.height_px is None:
        return y1 >= picture.height
    margin = EDGE_H * subject.height_px
    return x0 <= margin or x1 >= picture.width - margin or y1 >= picture.height - margin
