"""Anonymous frames Ĩ without end: proxies and rooms are made apart, and put together anew in every batch."""

import multiprocessing
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields

import cv2
import numpy as np
import numpy.typing as npt

from privcam_core.geometry import SUBPIXEL_BITS, fixed_point
from privcam_core.proxy import Shape, draw, render_subject
from privcam_edge.embedding.encoder import INPUT, MOST, shrunk
from privcam_training.encoder.backgrounds import Image, Random, background
from privcam_training.encoder.figures import KINDS, figures

Array = npt.NDArray[np.float32]

# Pictures are drawn in this size (height, width) and then shrunk as the edge does it.
DRAWN = (240, 320)
# The map of where people are, (rows, columns).
GRID = (INPUT[0] // 8, INPUT[1] // 8)
# The coarse layout that z has to tell, (rows, columns).
LAYOUT = (3, 4)
# Somebody of whom less is seen is not counted, as a share of the proxy.
_LEAST_SEEN = 0.2
_SPREAD = 1.0  # cells
_NOBODY = 0.12
_A_BATCH = 250


@dataclass(frozen=True)
class Proxies:
    """Proxies of N pictures without their rooms.

    shown: (N, *INPUT, 3) uint8, the colours times how much they cover. covers: (N, *INPUT) uint8, 255 where nothing of
    the room is seen. density: (N, len(KINDS), *GRID) float32, a hill of volume 1 for everybody. count: (N,).
    """

    shown: Image
    covers: Image
    density: Array
    count: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.count)


def join(parts: Sequence[Proxies]) -> Proxies:
    """Return several sets as one."""
    return Proxies(*(np.concatenate([getattr(part, field.name) for part in parts]) for field in fields(Proxies)))


def compose(shown: Image, covers: Image, rooms: Image) -> Image:
    """Return Ĩ, (N, *INPUT, 3) uint8: proxies before rooms."""
    through = 255 - covers[..., None].astype(np.uint16)
    return (shown + (rooms * through + 127) // 255).clip(0, 255).astype(np.uint8)


def layout_of(density: Array) -> npt.NDArray[np.bool_]:
    """Return which cells of the coarse layout somebody is in, (N, rows x columns), from density (N, K, *GRID)."""
    cells = density.sum(axis=1).reshape(len(density), LAYOUT[0], GRID[0] // LAYOUT[0], LAYOUT[1], GRID[1] // LAYOUT[1])
    return cells.sum(axis=(2, 4)).reshape(len(density), -1) > 0.5


def kinds_of(density: Array) -> npt.NDArray[np.bool_]:
    """Return which KINDS of posture are seen, (N, len(KINDS)), from density (N, len(KINDS), *GRID)."""
    return density.sum(axis=(2, 3)) > 0.5


def rooms(pictures: Sequence[Image], count: int, seed: int) -> Image:
    """Return so many rooms, (N, *INPUT, 3) uint8."""
    random = np.random.default_rng(seed)
    return np.array([shrunk(background(random, pictures, DRAWN)) for _ in range(count)])


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
    shown, covers, density, counts = zip(*made, strict=True)
    return Proxies(np.array(shown), np.array(covers), np.array(density, np.float32), np.array(counts, np.int64))


def _picture(random: Random) -> tuple[Image, Image, Array, int]:
    many = 0 if random.random() < _NOBODY else min(1 + int(random.exponential(2.6)), MOST + 1)
    people = figures(random, many, DRAWN)
    shapes = [render_subject(figure.pose) for figure in people]
    # On black a picture holds the colours times the cover, on white the rest of it too.
    black, white = np.zeros((*DRAWN, 3), np.uint8), np.full((*DRAWN, 3), 255, np.uint8)
    for shape in shapes:
        draw(black, shape)
        draw(white, shape)
    black, white = shrunk(black), shrunk(white)
    covers = 255 - (white.astype(np.int16) - black).max(axis=2).clip(0, 255).astype(np.uint8)
    density = np.zeros((len(KINDS), *GRID), np.float32)
    seen = 0
    for figure, middle in zip(people, middles(shapes, DRAWN), strict=True):
        if middle is not None:
            density[KINDS.index(figure.kind)] += hill(middle)
            seen += 1
    return black, covers, density, min(seen, MOST)


def middles(proxies: Sequence[Sequence[Shape]], size: tuple[int, int]) -> list[tuple[float, float] | None]:
    """Return where each proxy is seen, (x, y) as shares of the picture, and None for one that is hidden.

    proxies: the shapes of each, the first one is drawn first. size: of the picture, (height, width) px.
    """
    whole = []
    for shapes in proxies:
        alone = np.zeros(size, np.uint8)
        for shape in shapes:
            cv2.fillConvexPoly(alone, fixed_point(shape.outline), 1, cv2.LINE_8, SUBPIXEL_BITS)
        whole.append(alone.astype(bool))
    owner = np.zeros(size, np.int32)
    for index, mask in enumerate(whole, start=1):
        owner[mask] = index
    found: list[tuple[float, float] | None] = []
    for index, shapes in enumerate(proxies, start=1):
        rows, columns = np.nonzero(owner == index)
        # What lies over the border counts as hidden too.
        extent = np.ptp(np.concatenate([shape.outline for shape in shapes]), axis=0)
        inside = min(len(rows) / max(whole[index - 1].sum(), 1), 4 * len(rows) / max(extent.prod(), 1.0))
        if inside < _LEAST_SEEN:
            found.append(None)
            continue
        found.append(((columns.min() + columns.max() + 1) / 2 / size[1], (rows.min() + rows.max() + 1) / 2 / size[0]))
    return found


def hill(middle: tuple[float, float]) -> Array:
    """Return a Gaussian hill of volume 1 around a place (x, y) in shares of the picture, GRID."""
    y, x = np.mgrid[: GRID[0], : GRID[1]] + 0.5
    height = np.exp(-((x - middle[0] * GRID[1]) ** 2 + (y - middle[1] * GRID[0]) ** 2) / (2 * _SPREAD**2))
    return (height / height.sum()).astype(np.float32)
