"""Anonymous frames Ĩ without end: proxies and rooms are made apart, and put together anew in every batch."""

import multiprocessing
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields

import cv2
import numpy as np
import numpy.typing as npt

from privcam_core.drawing.geometry import SUBPIXEL_BITS, fixed_point
from privcam_core.drawing.palette import COLORS, index
from privcam_core.drawing.proxy import Shape, draw, render_subject
from privcam_core.types.arrays import Image
from privcam_edge.embedding.encoder import MAX_COUNT
from privcam_edge.embedding.shrinking import INPUT, shrink
from privcam_training.encoder.backgrounds import Random, background
from privcam_training.encoder.proxy_figures import KINDS, figures

Array = npt.NDArray[np.float32]

# Pictures are drawn in this size (height, width) and then shrunk as the edge does it.
DRAWN = (480, 640)
# The coarse layout that z has to tell, (rows, columns).
LAYOUT = (3, 4)
# Somebody of whom no more is seen than this fraction of the picture is not counted: 64 px of what the network gets.
_MIN_PX = 64
_MIN_SEEN = _MIN_PX / (INPUT[0] * INPUT[1])
# How much narrower a picture of 16:9 gets in the size of the network, and how much smaller whoever is farther away.
_WIDE, _FARTHER = 0.75, (0.6, 1.0)
_NOBODY = 0.12
_A_BATCH = 250


# What `Proxies.people` says of each: the middle in fractions of the picture, and an index of KINDS and of colours.
X, Y, KIND, COLOR = range(4)
Colors = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Proxies:
    """Proxies of N pictures without their rooms.

    shown: (N, *INPUT, 3) uint8, the colours times how much they cover. covers: (N, *INPUT) uint8, 255 where nothing of
    the room is seen. colors: (N, *INPUT) uint8, whose colour each pixel has: 0 the room, else its index + 1.
    people: (N, MAX_COUNT + 1, 4) float32, whoever can be seen as (X, Y, KIND, COLOR), then rows of NaN.
    """

    visible: Image
    covers: Image
    colors: Colors
    people: Array

    def __len__(self) -> int:
        return len(self.people)


def join(parts: Sequence[Proxies]) -> Proxies:
    """Return several sets as one."""
    return Proxies(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Proxies)))


def compose(visible: Image, covers: Image, rooms: Image) -> Image:
    """Return Ĩ, (N, *INPUT, 3) uint8: proxies before rooms."""
    through = 255 - covers[..., None].astype(np.uint16)
    return (visible + (rooms * through + 127) // 255).clip(0, 255).astype(np.uint8)


def squeeze(proxies: Proxies, random: Random, fraction: float) -> Proxies:
    """Return proxies of which a fraction is as a wide camera (16:9) shows them, and some are farther away."""
    made = Proxies(*(getattr(proxies, field.name).copy() for field in fields(Proxies)))
    for picture in np.flatnonzero(random.random(len(made)) < fraction):
        farther = random.uniform(*_FARTHER) if random.random() < 0.5 else 1.0
        size = [round(side * by) for side, by in zip(INPUT, (farther, farther * _WIDE), strict=True)]
        y, x = (int(random.integers(side - part + 1)) for side, part in zip(INPUT, size, strict=True))
        part = slice(y, y + size[0]), slice(x, x + size[1])
        for whole, how in (
            (made.visible, cv2.INTER_AREA),
            (made.covers, cv2.INTER_AREA),
            (made.colors, cv2.INTER_NEAREST),
        ):
            small = cv2.resize(whole[picture], size[::-1], interpolation=how)
            whole[picture] = 0
            whole[picture][part] = small
        people = made.people[picture]
        people[:, X] = (people[:, X] * size[1] + x) / INPUT[1]
        people[:, Y] = (people[:, Y] * size[0] + y) / INPUT[0]
        area = np.bincount(made.colors[picture].ravel(), minlength=COLORS + 1)[1:]
        gone = [not np.isnan(row[X]) and area[int(row[COLOR])] < _MIN_PX for row in people]
        people[gone] = np.nan
    return made


def count_of(people: Array) -> npt.NDArray[np.int64]:
    """Return how many people there are, (N,), at most MAX_COUNT; people: see `Proxies`."""
    return np.minimum((~np.isnan(people[..., X])).sum(axis=1), MAX_COUNT).astype(np.int64)


def kinds_of(people: Array) -> npt.NDArray[np.bool_]:
    """Return which KINDS of posture are seen, (N, len(KINDS)); people: see `Proxies`."""
    return (people[..., KIND, None] == np.arange(len(KINDS))).any(axis=1)


def layout_of(people: Array) -> npt.NDArray[np.bool_]:
    """Return which cells of the coarse layout somebody is in, (N, rows x columns); people: see `Proxies`."""
    found = np.zeros((len(people), *LAYOUT), bool)
    picture, row = np.nonzero(~np.isnan(people[..., X]))
    x, y = people[picture, row, X], people[picture, row, Y]
    rows, columns = (
        (fraction * cells).astype(int).clip(0, cells - 1) for fraction, cells in ((y, LAYOUT[0]), (x, LAYOUT[1]))
    )
    found[picture, rows, columns] = True
    return found.reshape(len(people), -1)


def rooms(pictures: Sequence[Image], count: int, seed: int, alike: float = 0.1) -> Image:
    """Return so many rooms, (N, *INPUT, 3) uint8; see `background`."""
    random = np.random.default_rng(seed)
    return np.array([shrink(background(random, pictures, DRAWN, alike)) for _ in range(count)])


def proxies(count: int, seed: int, *, processes: int = 1) -> Proxies:
    """Return proxies of so many pictures; the same for any number of processes. Shows progress."""
    work = [(min(_A_BATCH, count - start), seed * 10_000 + start) for start in range(0, count, _A_BATCH)]
    if processes == 1:
        return join([_batch(one) for one in work])
    parts = []
    with multiprocessing.get_context("spawn").Pool(processes) as pool:
        for part in pool.imap(_batch, work):
            parts.append(part)
            if len(parts) % 10 == 0:
                print(f"[encoder] drawn {len(parts)}/{len(work)}", file=sys.stderr, flush=True)
    return join(parts)


def _batch(work: tuple[int, int]) -> Proxies:
    count, seed = work
    random = np.random.default_rng(seed)
    made = [_picture(random) for _ in range(count)]
    visible, covers, colors, people = zip(*made, strict=True)
    return Proxies(np.array(visible), np.array(covers), np.array(colors), np.array(people, np.float32))


def _picture(random: Random) -> tuple[Image, Image, Colors, Array]:
    many = 0 if random.random() < _NOBODY else min(1 + int(random.exponential(2.6)), MAX_COUNT + 1)
    people = figures(random, many, DRAWN)
    shapes = [render_subject(figure.pose) for figure in people]
    # On black a picture holds the colours times the cover, on white the rest of it too.
    black, white = np.zeros((*DRAWN, 3), np.uint8), np.full((*DRAWN, 3), 255, np.uint8)
    for shape in shapes:
        draw(black, shape)
        draw(white, shape)
    black, white = shrink(black), shrink(white)
    covers = 255 - (white.astype(np.int16) - black).max(axis=2).clip(0, 255).astype(np.uint8)
    owner = owners(shapes, DRAWN)
    tints = [index(figure.pose.subject_id) for figure in people]
    colors = np.array([0, *(tint + 1 for tint in tints)], np.uint8)[owner]
    seen = np.full((MAX_COUNT + 1, 4), np.nan, np.float32)
    places = zip(people, tints, middles(owner, len(people)), strict=True)
    found = [(*middle, KINDS.index(one.kind), tint) for one, tint, middle in places if middle]
    seen[: len(found)] = np.array(found, np.float32).reshape(-1, 4)
    return black, covers, cv2.resize(colors, INPUT[::-1], interpolation=cv2.INTER_NEAREST).astype(np.uint8), seen


def owners(proxies: Sequence[Sequence[Shape]], size: tuple[int, int]) -> npt.NDArray[np.int32]:
    """Return whose each pixel is, (*size): 0 nobody's, else the number of a proxy, from 1.

    proxies: the shapes of each, the first one is drawn first. size: of the picture, (height, width) px.
    """
    owner = np.zeros(size, np.int32)
    for number, shapes in enumerate(proxies, start=1):
        for shape in shapes:
            cv2.fillConvexPoly(owner, fixed_point(shape.outline), number, cv2.LINE_8, SUBPIXEL_BITS)
    return owner


def middles(owner: npt.NDArray[np.int32], count: int) -> list[tuple[float, float] | None]:
    """Return the middle of what is seen of each proxy, (x, y) as fractions, and None where that is too little.

    owner: see `owners`.
    """
    height, width = owner.shape
    rows, columns = np.nonzero(owner)
    whose = owner[rows, columns]
    area, y, x = (np.bincount(whose, weights, count + 1)[1:] for weights in (None, rows + 0.5, columns + 0.5))
    seen = area >= _MIN_SEEN * owner.size
    return [(x[i] / area[i] / width, y[i] / area[i] / height) if seen[i] else None for i in range(count)]
