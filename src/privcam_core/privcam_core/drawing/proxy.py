"""Draws the anthropomorphic proxy: a jointed figure of tapered capsules in place of a person.

It is drawn from the pose alone, so it shows nothing of the person but the posture. Edge and cloud draw the same one.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2

from privcam_core.drawing.body import build_body
from privcam_core.drawing.body_model import Kind, Part
from privcam_core.drawing.geometry import SUBPIXEL_BITS, Points, fixed_points, outlines
from privcam_core.drawing.palette import Bgr, color, mix
from privcam_core.images.png import require_bgr8
from privcam_core.types.arrays import Image
from privcam_core.types.omega import SubjectPose

_INK: Bgr = (38, 32, 28)
_LIGHT: Bgr = (255, 255, 255)
# Width of the dark line around a subject as a fraction of the stature, and its minimum in px.
_RIM = 0.010
_MIN_RIM_PX = 1.5
# Width of the line between its limbs as a fraction of the stature, and its minimum in px.
_SEAM = 0.005
_MIN_SEAM_PX = 0.7
# Fraction of ink in solids on the far side, in the middle and on the near side.
_DEPTH_INK = {-1: 0.38, 0: 0.12, 1: 0.0}
_LEG_INK = 0.12  # legs are a little darker than arms, which often lie in front of them
_FACE_LIGHT = 0.55
# Fraction of white in the lighter core that makes a limb look round.
_CORE_LIGHT = 0.22
# Distance of the core from the edge as a fraction of the stature.
_CORE_INSET = 0.016
_MARKER_INK = 0.45


@dataclass(frozen=True)
class Shape:
    """One filled convex outline. outline: (N, 2) float32 px. fill: BGR."""

    outline: Points
    fill: Bgr


def render_subject(pose: SubjectPose) -> list[Shape]:
    """Return the proxy A = Ψ(P, h, b) of one subject (Eq. 2) as filled outlines, the first one is drawn first.

    Coordinates are px of the picture that the pose belongs to. Limbs with an invisible keypoint (ρ < SEEN) are not
    drawn; with almost nothing visible the proxy is a plain upright ellipse in the box b.
    """
    body = build_body(pose)
    rim, seam = max(_RIM * body.stature, _MIN_RIM_PX), max(_SEAM * body.stature, _MIN_SEAM_PX)
    base, solids = color(pose.subject_id), [part.shape for part in body.parts]
    # All rims lie under all fills, so that the rim runs around the whole subject and not around each solid.
    shapes = [Shape(outline, _INK) for outline in outlines(solids, rim)]
    seams = _outlines_of(body.parts, (Kind.ARM, Kind.LEG), seam)
    cores = _outlines_of(body.parts, (Kind.ARM, Kind.LEG, Kind.TRUNK), -_CORE_INSET * body.stature)
    for number, (part, edge) in enumerate(zip(body.parts, outlines(solids), strict=True)):
        fill = _fill(part, base)
        if number in seams:
            shapes.append(Shape(seams[number], mix(fill, _INK, 0.5)))
        shapes.append(Shape(edge, fill))
        if number in cores:
            shapes.append(Shape(cores[number], mix(fill, _LIGHT, _CORE_LIGHT)))
    return shapes


def _outlines_of(parts: Sequence[Part], kinds: Sequence[Kind], grow: float) -> dict[int, Points]:
    """Return the outlines of the solids of some kinds, grown by `grow` px, by their numbers."""
    numbers = [number for number, part in enumerate(parts) if part.kind in kinds]
    found = outlines([parts[number].shape for number in numbers], grow) if numbers else []
    return dict(zip(numbers, found, strict=True))


def overlay(background: Image, poses: Sequence[SubjectPose]) -> Image:
    """Return a copy of the background with the proxies of all subjects over it, in the order π of their layers.

    background: (H, W, 3) uint8 BGR, not changed. Layer 0 is drawn first. What reaches over the border is cut.
    Raises ValueError for a background of another shape or type.
    """
    require_bgr8(background, "background")
    picture = background.copy()
    for pose in sorted(poses, key=lambda pose: pose.layer):
        draw(picture, render_subject(pose))
    return picture


def draw(picture: Image, shapes: Sequence[Shape]) -> None:
    """Draw shapes into a picture (H, W, 3) uint8 BGR, the first one is drawn first."""
    for shape, polygon in zip(shapes, fixed_points([shape.outline for shape in shapes]), strict=True):
        cv2.fillConvexPoly(picture, polygon, shape.fill, cv2.LINE_AA, SUBPIXEL_BITS)


def _fill(part: Part, base: Bgr) -> Bgr:
    """Return the colour of a solid: the subject's, darker on the far side."""
    if part.kind is Kind.FACE:
        return mix(base, _LIGHT, _FACE_LIGHT)
    if part.kind is Kind.MARKER:
        return mix(base, _INK, _MARKER_INK)
    return mix(base, _INK, _DEPTH_INK[part.depth] + (_LEG_INK if part.kind is Kind.LEG else 0.0))
