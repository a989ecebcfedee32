"""Anonymous frames of real clips, as an edge composed them, with who is in them. No encoder is trained on these."""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from privcam_core.drawing.proxy import render_subject
from privcam_core.types.arrays import Image
from privcam_core.types.omega import Omega
from privcam_edge.composition import Composer
from privcam_edge.embedding.shrinking import shrink
from privcam_evaluation.recognition.labelled_clips import Clip, read_clip
from privcam_evaluation.recognition.omega_bags import read_bag
from privcam_training.encoder.scenes import count_of, layout_of, middles, owners

# Every clip counts the same, however long it is.
FRAMES_A_CLIP = 40


@dataclass(frozen=True)
class Moment:
    """One frame. raw: (H, W, 3) uint8 BGR. picture: Ĩ in the size of the network. layout: (rows x columns,) bool."""

    clip: Clip
    raw: Image
    omega: Omega
    picture: Image
    count: int
    layout: npt.NDArray[np.bool_]


def moments(clips: Sequence[Clip], bags: Mapping[str, Path]) -> list[Moment]:
    """Return frames of all clips, evenly over each. Shows progress."""
    found = []
    for number, clip in enumerate(clips, start=1):
        found += _of_clip(clip, read_bag(bags[clip.name]))
        if number % 10 == 0 or number == len(clips):
            print(f"[encoder] read {number}/{len(clips)} clips", file=sys.stderr, flush=True)
    return found


def _of_clip(clip: Clip, omegas: Sequence[Omega]) -> list[Moment]:
    chosen = {int(i) for i in np.linspace(0, len(omegas) - 1, min(FRAMES_A_CLIP, len(omegas)))}
    composer, found = Composer(), []
    for index, (omega, frame) in enumerate(zip(omegas, read_clip(clip), strict=False)):
        composer.update(omega.environment)
        if index in chosen:
            count, layout = _who(omega, frame.image.shape[:2])
            anonymous = composer.compose(omega.environment, omega.poses)
            found.append(Moment(clip, frame.image, omega, shrink(anonymous), count, layout))
    return found


def _who(omega: Omega, size: tuple[int, int]) -> tuple[int, npt.NDArray[np.bool_]]:
    """Return how many proxies can be seen, and in which cells of the layout."""
    ordered = sorted(omega.poses, key=lambda pose: pose.layer)
    found = middles(owners([render_subject(pose) for pose in ordered], size), len(ordered))
    people = np.array([(*middle, 0, 0) for middle in found if middle], np.float32).reshape(1, -1, 4)
    return int(count_of(people)[0]), layout_of(people)[0]
