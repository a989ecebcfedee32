"""Whether a picture shows pixels of a person that the camera saw.

A torso is the part of a person that is surely there: what lies between shoulders and hips that the pose model is sure
of. It is taken from the raw frame and looked for in everything that is published.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from privcam_msgs.msg import SubjectPose

from privcam_core.types.arrays import Image
from privcam_core.types.skeleton import TORSO

Mask = npt.NDArray[np.bool_]

MIN_RHO = 0.5
# Coding and scaling change a pixel by a few grey levels; a pixel that differs by more was made from something else.
SAME_LEVELS = 8
MIN_PIXELS = 40
# A run of raw bytes this long, of a patch that is not flat, does not come about by chance. One of few values does: a
# dark coat is a row of zeros with a small number in it, as the fields of a message are.
RUN_PX = 10
MIN_CONTRAST = 12
MIN_VALUES = 8


@dataclass(frozen=True)
class Torso:
    """Where the torso of one subject lies in one frame. mask: (H, W)."""

    frame_id: int
    subject_id: int
    mask: Mask


def torso(pose: SubjectPose, frame_id: int, height: int, width: int) -> Torso | None:
    """Return the torso of a subject, None where the pose model is not sure of it."""
    corners = [pose.keypoints[joint] for joint in TORSO]
    if min(corner.rho for corner in corners) < MIN_RHO:
        return None
    mask = np.zeros((height, width), np.uint8)
    cv2.fillConvexPoly(mask, cv2.convexHull(np.array([(c.u, c.v) for c in corners], np.int32)), 1)
    mask = cv2.erode(mask, np.ones((3, 3), np.uint8))
    return Torso(frame_id, pose.subject_id, mask.astype(bool)) if mask.sum() >= MIN_PIXELS else None


def same_fraction(picture: Image, raw: Image, where: Mask, visible: Mask | None = None) -> float:
    """Return the share of the pixels of `where` that a picture shows as the raw frame has them.

    picture, raw: (H, W, 3) uint8 BGR. shown: (H, W), False where the picture shows nothing.
    """
    near = (cv2.absdiff(picture, raw).max(axis=2) <= SAME_LEVELS) & where
    if visible is not None:
        near &= visible
    return float(near.sum() / where.sum())


def runs(raw: Image, where: Mask) -> list[bytes]:
    """Return bytes of the raw frame, one run per row of a torso, that would be found again in a verbatim copy."""
    found = []
    for row in np.flatnonzero(where.any(axis=1)):
        columns = np.flatnonzero(where[row])
        run = raw[row, columns[0] : columns[0] + RUN_PX]
        telling = np.ptp(run, axis=0).max() >= MIN_CONTRAST and len(np.unique(run)) >= MIN_VALUES
        if len(columns) >= RUN_PX and telling:
            found.append(run.tobytes())
    return found


def raw_frames(clip: Path, wanted: Sequence[int]) -> Iterator[tuple[int, Image]]:
    """Yield (frame_id, (H, W, 3) uint8 BGR) of the frames of a video file that are wanted; frame_id counts from 1."""
    capture = cv2.VideoCapture(str(clip))
    remaining = set(wanted)
    frame_id = 0
    while remaining and capture.grab():
        frame_id += 1
        if frame_id in remaining:
            remaining.discard(frame_id)
            yield frame_id, capture.retrieve()[1]
    capture.release()
    assert not remaining, f"the clip has no frames {sorted(remaining)}"
