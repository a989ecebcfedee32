"""Draws the dynamic contour: every subject as one outlined body on the environment, from Ω alone.

Unconfirmed background is a flat hatched surface, which cannot be miscovered for a dark corner or a hole in the wall.
"""

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from math import hypot, sqrt

import cv2
import numpy as np
import numpy.typing as npt

from privcam_core.drawing.body import build_body
from privcam_core.drawing.body_model import Body, Kind, Part
from privcam_core.drawing.geometry import SUBPIXEL_BITS, Points, Polygon, crop, fixed_point, fixed_points, outlines
from privcam_core.drawing.palette import Bgr, color, mix
from privcam_core.images.png import require_bgr8
from privcam_core.types.arrays import BoolArray, Box, Image
from privcam_core.types.omega import SubjectPose

NOT_SHOWN: Bgr = (74, 68, 62)
NOT_SHOWN_LINE: Bgr = (92, 86, 80)
# Distance of the hatching lines, px.
_HATCH_PITCH = 14
# Radius by which the border of a hatched region is rounded, px.
_REGION_ROUNDING = 9
# Fraction of the environment's colour that is kept, so that subjects stand out.
_ENVIRONMENT_COLOUR = 0.55
# Fraction of its brightness that is kept.
_ENVIRONMENT_BRIGHTNESS = 0.80
_WHITE: Bgr = (255, 255, 255)
# Opacity of the soft black shadow around a subject, for bright environments.
_SHADOW = 0.5
# Radius of the shadow in widths of the outline.
_SHADOW_REACH = 1.5

# Width of the outline as a fraction of the stature, and its minimum in px.
_LINE = 0.008
_MIN_LINE_PX = 1.6
# Gap around the front subject as a fraction of the stature, and its minimum in px.
_GAP = 0.016
_MIN_GAP_PX = 3.0
# Rounding of the corners between solids as a fraction of the stature, and its minimum in px.
_ROUNDING = 0.007
_MIN_ROUNDING_PX = 0.8
# Points along a curve over which the steps of the pixel raster are averaged.
_RASTER_STEPS = 1.5
# Every n-th point of a smoothed curve is drawn.
_THINNING = 3
# Opacity of the fill on the far side, in the middle, of a near arm and of the face.
_FILL = {-1: 0.36, 0: 0.50, 1: 0.66}
_FACE_FILL = 0.82
_MARKER_FILL = 0.34
# Width of the clear line between a limb and the body behind it as a fraction of the stature, and its minimum in px.
_CREASE = 0.006
_MIN_CREASE_PX = 0.8
# Opacity of that line.
_CREASE_FILL = 0.22
# Fraction of white in the colour of the outline.
_LINE_LIGHT = 0.45
# A dash and the space after it on the outline of a marker, as a fraction of its length: a subject of unknown posture.
_DASHES = 28
# Areas below this fraction of the squared stature are artefacts of rounding and are not drawn.
_MIN_AREA = 0.0008


def render_contour(environment: Image, confirmed: BoolArray, poses: Sequence[SubjectPose], scale: float = 1.0) -> Image:
    """Return the environment with the contour of every subject on it: A' = Ψ(P, π) of Eq. 9, laid on Ī.

    environment: (H, W, 3) uint8 BGR. confirmed: (H, W) bool, False where the environment is not confirmed. scale: size
    of the result against the environment. Returns (round(H * scale), round(W * scale), 3) uint8. No input is changed.
    A subject hides the parts of those in lower layers. Raises ValueError for a wrong shape, type or scale.
    """
    picture = render_environment(environment, confirmed, scale)
    draw_contours(picture, poses, scale)
    return picture


def render_environment(environment: Image, confirmed: BoolArray, scale: float = 1.0) -> Image:
    """Return the environment without subjects, muted, and hatched where it is not confirmed.

    Arguments, result and errors as for `render_contour`. The environment changes rarely: keep the result.
    """
    require_bgr8(environment, "environment")
    gray = cv2.cvtColor(cv2.cvtColor(environment, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    muted = cv2.addWeighted(
        environment,
        _ENVIRONMENT_BRIGHTNESS * _ENVIRONMENT_COLOUR,
        gray,
        _ENVIRONMENT_BRIGHTNESS * (1 - _ENVIRONMENT_COLOUR),
        0,
    )
    return hatch(np.asarray(muted, np.uint8), confirmed, scale)


def hatch(environment: Image, confirmed: BoolArray, scale: float = 1.0) -> Image:
    """Return the environment as it is, but hatched where it is not confirmed and a few px around that.

    Arguments, result and errors as for `render_contour`.
    """
    require_bgr8(environment, "environment")
    if confirmed.dtype != np.bool_ or confirmed.shape != environment.shape[:2]:
        needed = f"bool of shape {environment.shape[:2]}"
        raise ValueError(f"confirmed: is {confirmed.dtype} of shape {confirmed.shape}, needs {needed}")
    height, width = (round(side * scale) for side in environment.shape[:2]) if scale > 0 else (0, 0)
    if min(height, width) < 1:
        raise ValueError(f"scale: {scale} leaves no picture of {environment.shape[1]}x{environment.shape[0]} px")
    hidden = np.where(confirmed, np.uint8(0), np.uint8(255))
    if scale != 1.0:
        picture = cv2.resize(environment, (width, height), interpolation=cv2.INTER_LINEAR)
        hidden = cv2.resize(hidden, (width, height), interpolation=cv2.INTER_LINEAR)
    else:
        picture = environment.copy()
    return _hatch(np.asarray(picture, np.uint8), np.asarray(hidden, np.uint8))


def draw_contours(picture: Image, poses: Sequence[SubjectPose], scale: float = 1.0) -> None:
    """Draw the contour of every subject into the picture, whose pixels are `scale` times finer than those of the poses.

    picture: (H, W, 3) uint8 BGR, changed in place.
    """
    covered = np.zeros(picture.shape[:2], np.uint8)
    for pose in sorted(poses, key=lambda pose: pose.layer, reverse=True):
        _draw_subject(picture, covered, pose, scale)


def _hatch(room: Image, hidden: Image) -> Image:
    """Lay the "not shown" texture over the environment where `hidden` is 255, with a smooth border."""
    if not hidden.any():
        return room
    # Rounding may only add to what is hidden: the fill grey below must not look out.
    grown = cv2.dilate(hidden, np.ones((3, 3), np.uint8), iterations=_REGION_ROUNDING // 2)
    smooth = cv2.GaussianBlur(grown, (0, 0), _REGION_ROUNDING / 3)
    solid = cv2.max(cv2.inRange(smooth, 128, 255), hidden)
    cv2.copyTo(_texture(*hidden.shape), solid, room)
    edges, _ = cv2.findContours(solid, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    cv2.polylines(
        room, [fixed_point(_smooth(edge)) for edge in edges], True, NOT_SHOWN_LINE, 1, cv2.LINE_AA, SUBPIXEL_BITS
    )
    return room


@lru_cache(maxsize=4)
def _texture(height: int, width: int) -> Image:
    """Return the "not shown" surface: flat, with thin diagonal lines."""
    picture = np.full((height, width, 3), NOT_SHOWN, np.uint8)
    for start in range(-height, width, _HATCH_PITCH):
        cv2.line(picture, (start, height), (start + height, 0), NOT_SHOWN_LINE, 1, cv2.LINE_AA)
    picture.flags.writeable = False
    return picture


def _draw_subject(picture: Image, covered: Image, pose: SubjectPose, scale: float) -> None:
    """Draw one subject where `covered` is 0, then mark its body and the gap around it as covered."""
    body = build_body(pose).scaled(scale)
    height, width = covered.shape
    # A box far larger than the picture is possible; lines must not grow with it.
    size = min(body.stature, hypot(height, width))
    line, gap = max(_LINE * size, _MIN_LINE_PX), max(_GAP * size, _MIN_GAP_PX)
    solids = outlines([part.shape for part in body.parts])
    window = crop(_box(solids, 3 * _SHADOW_REACH * line + gap), width, height)
    if window is None:
        return
    origin = window[1].start, window[0].start
    free = _inverse(covered[window])
    polygons = fixed_points(solids, origin)
    curves = _outline(polygons, size, free.shape)
    if not curves:
        return
    inner = _filled(free.shape, curves)
    rim = _stroke(free.shape, _dashed(curves) if body.is_marker else curves, line, closed=not body.is_marker)
    fill = _times(_volume(body, polygons, size, origin, free.shape), inner)
    shadow = _times(_soften(inner, _SHADOW_REACH * line), free, _SHADOW)
    cover = _times(np.maximum(fill, rim), free)
    _blend(picture[window], shadow, _ramp(color(pose.subject_id)), rim, cover)
    reach = 2 * round(gap) + 1
    cv2.max(covered[window], cv2.dilate(inner, np.ones((reach, reach), np.uint8)), dst=covered[window])


def _box(solids: list[Points], grow: float) -> Box:
    """Return the box around the outlines of all solids, grown by `grow` px on all sides."""
    points = np.concatenate(solids)
    x0, y0 = points.min(axis=0).tolist()
    x1, y1 = points.max(axis=0).tolist()
    return x0 - grow, y0 - grow, x1 + grow, y1 + grow


def _outline(polygons: list[Polygon], size: float, shape: tuple[int, ...]) -> list[Points]:
    """Return the closed curves around the union of all solids, px: one, unless it has holes."""
    mask = np.zeros(shape, np.uint8)
    for polygon in polygons:
        cv2.fillConvexPoly(mask, polygon, 255, cv2.LINE_AA, SUBPIXEL_BITS)
    rounding = max(_ROUNDING * size, _MIN_ROUNDING_PX)
    smooth = _soften(mask, rounding)
    curves, _ = cv2.findContours(cv2.inRange(smooth, 128, 255), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    min_area = _MIN_AREA * size**2
    return [_smooth(curve) for curve in curves if cv2.contourArea(curve) >= min_area]


def _smooth(curve: npt.NDArray[np.generic]) -> Points:
    """Return a closed pixel chain (N, 1, 2) as a smooth curve (M, 2), M about N / _THINNING."""
    reach = min(int(3 * _RASTER_STEPS) + 1, len(curve) // 2)
    chain = curve[:, 0].astype(np.float32)
    padded = np.concatenate([chain[len(chain) - reach :], chain, chain[:reach]])
    smooth = cv2.filter2D(padded, -1, _weights(reach))
    return np.asarray(smooth[reach : reach + len(chain) : _THINNING], np.float32)


@lru_cache(maxsize=16)
def _weights(reach: int) -> Points:
    """Return the (2 * reach + 1, 1) weights by which `_smooth` averages."""
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / _RASTER_STEPS) ** 2).astype(np.float32)
    return np.asarray((weights / weights.sum())[:, None], np.float32)


def _volume(body: Body, polygons: list[Polygon], size: float, origin: tuple[int, int], shape: tuple[int, ...]) -> Image:
    """Return the opacity of the fill, 0 to 255: denser on the near side, with a soft crease around each limb."""
    if body.is_marker:
        return np.full(shape, round(255 * _MARKER_FILL), np.uint8)
    volume = np.full(shape, round(255 * _FILL[0]), np.uint8)
    limbs = [part.shape for part in body.parts if part.limb is not None]
    crease = max(_CREASE * size, _MIN_CREASE_PX)
    creases = iter(fixed_points(outlines(limbs, crease), origin) if limbs else ())
    for limb, group in groupby(zip(body.parts, polygons, strict=True), key=lambda drawn: drawn[0].limb):
        solids = list(group)
        layers = [(next(creases), _CREASE_FILL) for _ in solids if limb is not None]
        layers += [(polygon, _density(part)) for part, polygon in solids]
        for polygon, opacity in layers:
            cv2.fillConvexPoly(volume, polygon, round(255 * opacity), cv2.LINE_AA, SUBPIXEL_BITS)
    return volume


def _density(part: Part) -> float:
    """Return the opacity of a solid, 0 to 1."""
    if part.kind is Kind.FACE:
        return _FACE_FILL
    # A near leg is no denser than the trunk, or the hip would show an edge.
    return _FILL[part.depth if part.kind is Kind.ARM else min(part.depth, 0)]


def _filled(shape: tuple[int, ...], curves: list[Points]) -> Image:
    canvas = np.zeros(shape, np.uint8)
    cv2.fillPoly(canvas, [fixed_point(curve) for curve in curves], 255, cv2.LINE_AA, SUBPIXEL_BITS)
    return canvas


def _stroke(shape: tuple[int, ...], curves: list[Points], width: float, *, closed: bool = True) -> Image:
    canvas = np.zeros(shape, np.uint8)
    points = [fixed_point(curve) for curve in curves]
    cv2.polylines(canvas, points, closed, 255, max(round(width), 1), cv2.LINE_AA, SUBPIXEL_BITS)
    return canvas


def _dashed(curves: list[Points]) -> list[Points]:
    """Return every other piece of the curves."""
    return [piece for curve in curves for piece in np.array_split(curve, 2 * _DASHES)[::2] if len(piece) > 1]


def _soften(mask: Image, sigma: float) -> Image:
    """Return the mask blurred by two box filters, which together come near a Gaussian of `sigma` px, but faster."""
    # Two boxes of width n have the variance (n² - 1) / 6.
    size = max(round(sqrt(6 * sigma**2 + 1)) // 2 * 2 + 1, 3)
    return np.asarray(cv2.blur(cv2.blur(mask, (size, size)), (size, size)), np.uint8)


def _times(a: Image, b: Image, factor: float = 1.0) -> Image:
    """Return a * b * factor, where 255 counts as 1."""
    return np.asarray(cv2.multiply(a, b, scale=factor / 255), np.uint8)


def _blend(region: Image, shadow: Image, ramp: Image, tone: Image, cover: Image) -> None:
    """Darken the region by shadow / 255, then mix ramp[tone] into it, in place.

    cover: opacity of the mix, 255 is opaque. ramp: (256, 1, 3) colours.
    """
    kept = _times(_inverse(shadow), _inverse(cover))
    light = cv2.multiply(cv2.applyColorMap(tone, ramp), _colours(cover), scale=1 / 255)
    cv2.multiply(region, _colours(kept), dst=region, scale=1 / 255)
    cv2.add(region, light, dst=region)


def _inverse(opacity: Image) -> Image:
    return np.asarray(cv2.bitwise_not(opacity), np.uint8)


def _colours(opacity: Image) -> Image:
    """Return the (H, W) opacity for each of the three colours."""
    return np.asarray(cv2.merge((opacity, opacity, opacity)), np.uint8)


@lru_cache(maxsize=64)
def _ramp(base: Bgr) -> Image:
    """Return the (256, 1, 3) colours from a subject's fill to its outline."""
    line = mix(base, _WHITE, _LINE_LIGHT)
    return np.array([[mix(base, line, step / 255)] for step in range(256)], np.uint8)
