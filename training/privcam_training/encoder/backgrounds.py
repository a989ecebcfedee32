"""Rooms that nobody stands in: what an encoder must not take for somebody."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from privcam_core.drawing.palette import color
from privcam_core.images.environment import FILL
from privcam_core.types.arrays import Image

Random = np.random.Generator

PICTURES = (".jpg", ".jpeg", ".png", ".bmp")
# Shares: nothing is confirmed yet; and of the rest, a picture rather than a drawing, and all of it confirmed.
_UNKNOWN, _PICTURE, _WHOLE = 0.3, 0.6, 0.4
_GREY = 0.15
_MAX_SHAPES, _MAX_HIDDEN = 30, 5
_MIN_CROP = 0.4
# Light: of the whole room, by how much the colours differ in it, and the fraction of rooms with lamps.
_CONTRAST, _TINT, _LAMPS, _MAX_LAMPS = (0.5, 2.0), 0.15, 0.2, 3


def pictures_in(folder: Path) -> list[Image]:
    """Return all pictures below a folder as (H, W, 3) uint8 BGR, in the order of their names."""
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURES)
    read = (cv2.imread(str(path), cv2.IMREAD_COLOR) for path in paths)
    return [picture.astype(np.uint8) for picture in read if picture is not None]


def background(random: Random, pictures: Sequence[Image], size: tuple[int, int], alike: float) -> Image:
    """Return an environment of size (height, width) px: from one of the pictures, drawn, or not confirmed at all.

    alike: fraction of what is drawn that has a colour of proxies.
    """
    if random.random() < _UNKNOWN:
        return np.full((*size, 3), FILL, np.uint8)
    room = (
        _crop(random, pictures, size) if len(pictures) and random.random() < _PICTURE else _drawn(random, size, alike)
    )
    if random.random() < _GREY:
        room = cv2.cvtColor(cv2.cvtColor(room, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR).astype(np.uint8)
    room = _lit(random, room)
    if random.random() >= _WHOLE:
        _hide(random, room)
    return room


def _lit(random: Random, room: Image) -> Image:
    """Return a room in other light: dim or glaring, tinted, and with windows and lamps that glow."""
    contrast = np.exp(random.uniform(*np.log(_CONTRAST))) * random.uniform(1 - _TINT, 1 + _TINT, 3)
    lit = room.astype(np.float32) * contrast + random.uniform(-25, 25)
    height, width = room.shape[:2]
    y, x = np.ogrid[:height, :width]
    for _ in range(random.integers(1, _MAX_LAMPS + 1) if random.random() < _LAMPS else 0):
        middle, size = random.uniform(0, (height, width)), random.uniform(0.03, 0.25) * height
        glow = np.exp(-((y - middle[0]) ** 2 + (x - middle[1]) ** 2) / (2 * size**2))
        lit += glow[..., None] * random.uniform(0, 400, 3)
    return np.asarray(np.clip(lit, 0, 255), np.uint8)


def _crop(random: Random, pictures: Sequence[Image], size: tuple[int, int]) -> Image:
    picture = pictures[int(random.integers(len(pictures)))]
    height, width = picture.shape[:2]
    fraction = random.uniform(_MIN_CROP, 1.0)
    y, x = (int(random.uniform(0, (1 - fraction) * side)) for side in (height, width))
    part = picture[y : y + max(2, int(fraction * height)), x : x + max(2, int(fraction * width))]
    if random.random() < 0.5:
        part = part[:, ::-1]
    return np.asarray(cv2.resize(part, size[::-1], interpolation=cv2.INTER_AREA), np.uint8)


def _drawn(random: Random, size: tuple[int, int], alike: float) -> Image:
    """Return walls and furniture out of rectangles, stripes, round things and lines, in the colours of proxies too."""
    height, width = size
    corners = random.uniform(20, 235, (2, 2, 3)).astype(np.float32)
    room = cv2.resize(corners, (width, height), interpolation=cv2.INTER_LINEAR)
    for _ in range(random.integers(2, _MAX_SHAPES)):
        _shape(random, room, alike)
    if random.random() < 0.5:
        room = cv2.GaussianBlur(room, (0, 0), random.uniform(0.4, 1.5))
    return np.asarray(np.clip(room + random.normal(0, random.uniform(0, 8), room.shape), 0, 255), np.uint8)


def _shape(random: Random, room: npt.NDArray[np.float32], alike: float) -> None:
    height, width = room.shape[:2]
    like_a_proxy = random.random() < alike
    paint = color(int(random.integers(1, 100))) if like_a_proxy else tuple(random.uniform(0, 255, 3).tolist())
    x, y = int(random.integers(width)), int(random.integers(height))
    w, h = (int(side * np.exp(random.uniform(np.log(0.03), np.log(0.5)))) + 1 for side in (width, height))
    kind = random.integers(4)
    if kind == 0:
        cv2.rectangle(room, (x, y), (x + w, y + h), paint, -1)
    elif kind == 1:
        cv2.ellipse(room, (x, y), (w // 2 + 1, h // 2 + 1), random.uniform(0, 180), 0, 360, paint, -1)
    elif kind == 2:
        end = (x + int(random.normal(0, w)), y + int(random.normal(0, h)))
        cv2.line(room, (x, y), end, paint, int(random.integers(1, 9)), cv2.LINE_AA)
    else:
        points = np.array([x, y]) + random.normal(0, 1, (random.integers(3, 7), 2)) * (w, h)
        cv2.fillConvexPoly(room, cv2.convexHull(points.astype(np.int32)), paint, cv2.LINE_AA)


def _hide(random: Random, room: Image) -> None:
    """Fill what is not confirmed: parts around places where somebody was, or all but some parts."""
    height, width = room.shape[:2]
    mask = np.zeros((height, width), np.uint8)
    for _ in range(random.integers(1, _MAX_HIDDEN)):
        middle = int(random.integers(width)), int(random.integers(height))
        axes = int(random.uniform(0.04, 0.3) * width), int(random.uniform(0.06, 0.5) * height)
        if random.random() < 0.5:
            cv2.ellipse(mask, middle, axes, 0, 0, 360, 1, -1)
        else:
            corners = np.array([np.subtract(middle, axes), np.add(middle, axes)])
            cv2.rectangle(mask, tuple(corners[0].tolist()), tuple(corners[1].tolist()), 1, -1)
    hidden = mask.astype(bool)
    room[~hidden if random.random() < 0.25 else hidden] = FILL
