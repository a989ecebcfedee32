"""Writes events into the picture: captions beside the subjects, and a status bar below the picture."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from privcam_core.drawing.contour import NOT_SHOWN, NOT_SHOWN_LINE
from privcam_core.drawing.palette import Bgr, color
from privcam_core.types.arrays import Box, Image
from privcam_core.types.omega import SubjectPose

# The left top corners of plates, (N, 2) px.
Places = npt.NDArray[np.int64]

_FONT = cv2.FONT_HERSHEY_SIMPLEX
_TEXT: Bgr = (245, 245, 245)
_QUIET_TEXT: Bgr = (185, 185, 185)
_PLATE: Bgr = (38, 32, 28)
_ALARM: Bgr = (40, 40, 200)
_BAR: Bgr = (30, 25, 22)
# A replay is marked in the colour of neither an alarm nor of anything that is drawn in the picture.
_MARK: Bgr = (0, 200, 255)
_MARK_TEXT: Bgr = (20, 20, 20)
_PLATE_OPACITY = 0.85
# Height of capital letters as a fraction of the picture's height.
_LETTER = 0.022
# Smallest readable height of capital letters, in px.
_MIN_LETTER = 9
# Largest height of capital letters, in px.
_MAX_LETTER = 22
# Paddings and distances, in heights of a capital letter.
_PAD = 0.6
_LINE_STEP = 1.7
_STRIPE = 0.35
_MARGIN = 0.4
_BAR_PAD = 0.75
# A line longer than this fraction of the picture's width is cut.
_MAX_LINE = 0.6
# Positions per axis that are tried besides those next to the subject.
_GRID = 12
# A plate rather goes this many of its heights away than it hides a body wholly.
_HIDING = 12.0
# Letters from this height on are drawn with a stroke of 2 px.
_BOLD_LETTER = 14
# What the status bar of a picture says that shows nothing of now.
REPLAY = "REPLAY"


@dataclass(frozen=True)
class Caption:
    """One event of one subject, as a short line. alarm: a person should look now."""

    subject_id: int
    text: str
    alarm: bool = False


@dataclass(frozen=True)
class Status:
    """The content of the status bar.

    stamp_ns: camera time of the picture, UTC in ns. confirmed_mask: fraction shown. alarm: drawn on red, "" for none.
    replay: nothing of the picture happens now.
    """

    camera_id: str
    stamp_ns: int
    confirmed_mask: float
    note: str = ""
    alarm: str = ""
    replay: bool = False


@dataclass(frozen=True)
class Plate:
    """A caption box with its place. left, top, width, height: px."""

    subject_id: int
    lines: tuple[str, ...]
    alarm: bool
    left: int
    top: int
    width: int
    height: int

    def overlaps(self, other: "Plate") -> bool:
        """Return whether the two boxes share a pixel."""
        beside = self.left + self.width <= other.left or other.left + other.width <= self.left
        above = self.top + self.height <= other.top or other.top + other.height <= self.top
        return not (beside or above)


def place_captions(
    captions: Sequence[Caption], poses: Sequence[SubjectPose], height: int, width: int, scale: float = 1.0
) -> list[Plate]:
    """Return one plate for each captioned subject; plates lie within the picture and never overlap each other.

    height, width: of the picture in px, `scale` times finer than the poses. All captions of a subject share a plate.
    Alarms get their place first. A plate for which no place is left is not drawn; captions of unknown subjects are not.
    """
    letter = _letter(height)
    placed: list[Plate] = []
    alarmed = {caption.subject_id for caption in captions if caption.alarm}
    for pose in sorted(poses, key=lambda pose: (pose.subject_id not in alarmed, -pose.layer)):
        own = [caption for caption in captions if caption.subject_id == pose.subject_id]
        if not own:
            continue
        lines = tuple(_fit(_ascii(c.text), round(width * _MAX_LINE), letter) for c in own)
        size = _plate_size(lines, letter)
        places = _places(pose.box, size, (height, width), scale, round(_MARGIN * letter))
        if placed:
            taken = [(p.left, p.top, p.left + p.width, p.top + p.height) for p in placed]
            places = places[_covered(places, size, np.array(taken)).max(axis=1) <= 0]
        if len(places):
            best = _cost(places, size, pose.box, [other.box for other in poses], scale).argmin()
            left, top = places[best].tolist()
            placed.append(Plate(pose.subject_id, lines, pose.subject_id in alarmed, left, top, *size))
    return placed


def draw_captions(
    picture: Image, captions: Sequence[Caption], poses: Sequence[SubjectPose], scale: float = 1.0
) -> None:
    """Draw the captions beside their subjects, in place.

    picture: (H, W, 3) uint8 BGR, its pixels are `scale` times finer than those of the poses.
    """
    height, width = picture.shape[:2]
    letter = _letter(height)
    for plate in place_captions(captions, poses, height, width, scale):
        area = picture[plate.top : plate.top + plate.height, plate.left : plate.left + plate.width]
        ground = np.empty_like(area)
        cv2.rectangle(ground, (0, 0), (plate.width, plate.height), _ALARM if plate.alarm else _PLATE, cv2.FILLED)
        cv2.addWeighted(ground, _PLATE_OPACITY, area, 1 - _PLATE_OPACITY, 0, dst=area)
        stripe = round(_STRIPE * letter)
        area[:, :stripe] = color(plate.subject_id)
        for row, line in enumerate(plate.lines):
            baseline = round((_PAD + 1 + row * _LINE_STEP) * letter)
            _write(area, line, (stripe + round(_PAD * letter), baseline), letter, _TEXT)


def with_status(picture: Image, status: Status) -> Image:
    """Return the picture with the status bar below it. picture: (H, W, 3) uint8 BGR; the result is higher.

    The bar lies below and not on the picture: a person may lie at the lower border.
    """
    height, width = picture.shape[:2]
    letter = _letter(height)
    bar_height = round((1 + 2 * _BAR_PAD) * letter)
    result = np.asarray(cv2.copyMakeBorder(picture, 0, bar_height, 0, 0, cv2.BORDER_CONSTANT, value=_BAR), np.uint8)
    bar = result[height:]
    pad, baseline = round(_BAR_PAD * letter), round((1 + _BAR_PAD) * letter)
    moment = datetime.fromtimestamp(status.stamp_ns // 1_000_000 / 1000, timezone.utc)
    hidden = f"{100 * (1 - status.confirmed_mask):.0f} % not shown"
    left = pad
    # First, and over everything else in a narrow bar: they must not be missed.
    marks = [(REPLAY, _MARK, _MARK_TEXT)] if status.replay else []
    marks += [(_ascii(status.alarm), _ALARM, _TEXT)] if status.alarm else []
    for text, ground, paint in marks:
        wide = _text_width(text, letter) + 2 * pad
        cv2.rectangle(bar, (left - pad, 0), (left - pad + wide, bar_height), ground, cv2.FILLED)
        _write(bar, text, (left, baseline), letter, paint)
        left += wide
    texts = [(status.camera_id, _TEXT)]
    # What the picture is comes before its time: what does not fit is left out from the end.
    texts += [(_ascii(status.note), _TEXT)] if status.note else []
    texts += [(f"{moment:%Y-%m-%d %H:%M:%S}.{moment.microsecond // 100_000} UTC", _QUIET_TEXT)]
    right = width - pad - _text_width(hidden, letter)
    if right - 2 * letter > left:
        _write(bar, hidden, (right, baseline), letter, _QUIET_TEXT)
        _swatch(bar, right - round(1.6 * letter), pad, letter)
        right -= 2 * letter
    for text, paint in texts:
        if left + _text_width(text, letter) + letter > right:
            break
        _write(bar, text, (left, baseline), letter, paint)
        left += _text_width(text, letter) + 2 * letter
    return result


def _places(box: Box, size: tuple[int, int], picture: tuple[int, int], scale: float, margin: int) -> Places:
    """Return each place that is tried for a plate, all in the picture: around the subject, then a grid."""
    x0, y0, x1, y1 = (side * scale for side in box)
    wide, high = size
    corner = picture[1] - wide - margin, picture[0] - high - margin
    if min(corner) < margin:
        return np.empty((0, 2), np.int64)
    middle = (x0 + x1 - wide) / 2
    around = [(middle, y0 - high - margin), (x1 + margin, y0), (x0 - wide - margin, y0), (middle, y1 + margin)]
    return np.concatenate([np.clip(around, margin, corner).astype(np.int64), _grid(margin, *corner)])


@lru_cache(maxsize=256)
def _grid(start: int, max_left: int, max_top: int) -> Places:
    """Return _GRID x _GRID places, row by row."""
    columns, rows = np.linspace(start, max_left, _GRID), np.linspace(start, max_top, _GRID)
    return np.stack(np.meshgrid(columns, rows), axis=-1).reshape(-1, 2).astype(np.int64)


def _covered(places: Places, size: tuple[int, int], boxes: npt.NDArray[np.generic]) -> npt.NDArray[np.float64]:
    """Return (N, M): how many px of each box, (M, 4), a plate of `size` (width, height) px hides at each place."""
    low = np.maximum(places[:, None], boxes[:, :2])
    high = np.minimum(places[:, None] + size, boxes[:, 2:])
    return np.asarray(np.prod(np.maximum(high - low, 0), axis=2), np.float64)


def _cost(
    places: Places, size: tuple[int, int], subject: Box, boxes: Sequence[Box], scale: float
) -> npt.NDArray[np.float64]:
    """Return the cost of each place: its distance from the subject in plate heights, and the hidden fraction of bodies.

    subject, boxes: of the plate's own subject and of everybody, in px of the poses.
    """
    wide, high = size
    x0, y0, x1, _ = (side * scale for side in subject)
    away = np.hypot(places[:, 0] + (wide / 2 - (x0 + x1) / 2), places[:, 1] + (high - y0)) / high
    hidden = _covered(places, size, np.array(boxes) * scale).sum(axis=1) / (wide * high)
    return np.asarray(away + _HIDING * hidden, np.float64)


def _letter(height: int) -> int:
    """Return the height of capital letters in px for a picture of that height."""
    return min(max(round(_LETTER * height), _MIN_LETTER), _MAX_LETTER)


def _plate_size(lines: Sequence[str], letter: int) -> tuple[int, int]:
    """Return (width, height) of a plate in px."""
    wide = max(_text_width(line, letter) for line in lines)
    high = 1 + 2 * _PAD + (len(lines) - 1) * _LINE_STEP
    return wide + round(_STRIPE * letter) + 2 * round(_PAD * letter), round(high * letter)


def _ascii(text: str) -> str:
    """Return the text without the characters that OpenCV's font does not have."""
    return text.replace("°", " deg").encode("ascii", "replace").decode()


def _fit(text: str, width: int, letter: int) -> str:
    """Return the text, cut to a width in px."""
    if _text_width(text, letter) <= width:
        return text
    while text and _text_width(f"{text}...", letter) > width:
        text = text[:-1]
    return f"{text.rstrip()}..."


def _stroke(letter: int) -> int:
    return 2 if letter >= _BOLD_LETTER else 1


@lru_cache(maxsize=64)
def _font_scale(letter: int) -> float:
    return float(cv2.getFontScaleFromHeight(_FONT, letter, _stroke(letter)))


@lru_cache(maxsize=256)
def _text_width(text: str, letter: int) -> int:
    return int(cv2.getTextSize(text, _FONT, _font_scale(letter), _stroke(letter))[0][0])


def _write(area: Image, text: str, baseline: tuple[int, int], letter: int, paint: Bgr) -> None:
    cv2.putText(area, text, baseline, _FONT, _font_scale(letter), paint, _stroke(letter), cv2.LINE_AA)


def _swatch(bar: Image, left: int, top: int, side: int) -> None:
    """Draw a small square of the "not shown" surface, the legend of the hatching."""
    tile = bar[top : top + side, left : left + side]
    tile[:] = NOT_SHOWN
    cv2.line(tile, (0, side - 1), (side - 1, 0), _TEXT, 1, cv2.LINE_AA)
    cv2.rectangle(tile, (0, 0), (side - 1, side - 1), NOT_SHOWN_LINE, 1)
