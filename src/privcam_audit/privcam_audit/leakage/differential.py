"""The differential leak test: compares two runs of the edge that differ in the person pixels alone.

The edge runs over a clip and over its counterfactual, with the same perception and the same seeds. A pixel leaks where
the outputs of the two runs differ. A comparison with the raw frame would not do: a grey fill equals grey clothes.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from privcam_audit.audit_part import AuditPart
from privcam_audit.leakage.baselines import BASELINES, BLUR_SIGMA, TILE
from privcam_audit.leakage.counterfactual import invert_labelled
from privcam_audit.leakage.person_labels import MARGIN, Labels
from privcam_audit.leakage.true_background import background
from privcam_audit.perception_recording import Frame, Recording
from privcam_core.drawing.proxy import overlay
from privcam_core.images.environment import decode_environment
from privcam_core.types.arrays import BoolArray, Image
from privcam_core.types.omega import SubjectPose
from privcam_edge.embedding.encoder import BottleneckEncoder
from privcam_evaluation.plotting import plt

# Takes κ, picture, detections, tracks and poses of a frame; returns the environment, the privacy report and, where it
# changes them, the poses that leave.
Eraser = Callable[..., Sequence[Any]]

# A pixel is leaked when any of its channels, validity included, differs by more than this many levels.
LEVELS = 8
# A colour this near to the true background's is the room's, since the light changes during a clip. A minority of
# people's pixels are that near by chance.
ROOM_LEVELS = 24
_SEED = 7
RUNS = ("original", "counterfactual")
_TEXT = """\
Every pixel of every person was labelled (boxes with {margin} % more on each side). The edge ran over the clip, and over
a counterfactual of it in which each labelled value v is (v + 128) mod 256, with the same detections and seeds. All that
leaves was compared: a pixel that differs by more than {levels} levels is leaked. The figures are leaked pixels per
labelled pixel, summed over all frames; a pixel that stays in the picture counts in every frame. In brackets: those that
show a colour that may be a person's, because both runs show the pixel in different colours, or one run shows it in a
colour that is not the room's. The others show the room in one run and nothing in the other: they tell the shape of what
moved, and nothing of its colour.

`blur` and `pixelate` are what is usually done, on the whole picture: a Gaussian with a standard deviation of {blur} %
of the picture's width, and tiles of {tile} % of it. For them only labelled pixels count.

| clip | labelled pixels | {modes} |
|{lines}
{rows}

What this does not show: people that no label covers, and what poses tell (see re-identification).
"""


@dataclass
class Leak:
    """What leaked of one clip in one mode; counts of pixels, one number a frame where it is a list.

    labelled: person pixels. leaked: pixels that differ in what leaves. shown: of those, the ones whose colour is shown
    in both runs, and differs. levels: by how much, summed over them. exposed: of the leaked, those and the ones that
    only one run shows, in a colour that is not the room's. inside: of the leaked, those where a person is labelled in
    that same frame. z_alone: frames in which z differs though Ĩ does not. where: (H, W) frames in which a pixel leaked.
    environment: (H, W, 3), the last one of the original run. confirmed: fraction of the picture that the original run
    showed, in every frame: an edge that shows nothing leaks nothing.
    """

    labelled: list[int] = field(default_factory=list)
    leaked: list[int] = field(default_factory=list)
    visible: int = 0
    levels: int = 0
    exposed: int = 0
    confirmed: list[float] = field(default_factory=list)
    inside: int = 0
    z_alone: int = 0
    where: npt.NDArray[np.int32] = field(default_factory=lambda: np.zeros((0, 0), np.int32))
    environment: Image = field(default_factory=lambda: np.zeros((0, 0, 3), np.uint8))

    @property
    def fraction(self) -> float | None:
        """Leaked pixels per labelled pixel; None where nobody is labelled."""
        return sum(self.leaked) / sum(self.labelled) if sum(self.labelled) else None

    def values(self) -> dict[str, Any]:
        """Return the figures for the report. Frames count from 0 and are those of the recording."""
        leaking = np.flatnonzero(self.leaked)
        worst = int(np.argmax(self.leaked))
        total = max(1, sum(self.leaked))
        return {
            "fraction": self.fraction,
            "exposed_fraction": self.exposed / sum(self.labelled) if sum(self.labelled) else None,
            "leaked_pixels": sum(self.leaked),
            "labelled_pixels": sum(self.labelled),
            "leaking_frames": len(leaking),
            "frames": len(self.leaked),
            "first_frame": int(leaking[0]) if len(leaking) else None,
            "worst_frame": worst if len(leaking) else None,
            "worst_frame_pixels": self.leaked[worst],
            "colour_shown": self.visible / total,
            "colour_levels": self.levels / self.visible if self.visible else None,
            "inside_labels": self.inside / total,
            "z_alone_frames": self.z_alone,
            "confirmed_fraction": float(np.mean(self.confirmed)) if self.confirmed else 1.0,
        }


class _Run:
    """One run of the edge, and what the cloud has of it: `environment` is (H, W, 4) uint8, alpha is the validity."""

    def __init__(self, erase: Eraser, shape: tuple[int, int]) -> None:
        self._erase = erase
        self._encoder = BottleneckEncoder(seed=_SEED)
        self.environment: Image = np.zeros((*shape, 4), np.uint8)
        self.anonymous: Image = np.zeros((*shape, 3), np.uint8)
        self.poses: Sequence[SubjectPose] = []
        self.z = b""

    def process(self, frame: Frame, image: Image) -> None:
        """Send one frame, with `image` as its picture, through the edge."""
        left = self._erase(frame.key, image, frame.detections, frame.tracks, frame.poses)
        environment, self.poses = left[0], left[2] if len(left) > 2 else frame.poses
        if environment.png:
            plate, confirmed_mask = decode_environment(environment.png)
            self.environment = np.dstack([plate, confirmed_mask.astype(np.uint8) * np.uint8(255)])
        self.anonymous = overlay(np.ascontiguousarray(self.environment[..., :3]), self.poses)
        self.z = self._encoder.encode(self.anonymous).data


def measure_leak(recording: Recording, labels: Labels, original: Eraser, other: Eraser) -> Leak:
    """Return what leaks of a clip. original, other: fresh erasers of one mode, for the clip and its counterfactual.

    Raises ValueError where the poses that leave differ: both erasers need the same seed for the noise on poses.
    """
    one, two = _Run(original, recording.shape), _Run(other, recording.shape)
    result = Leak(where=np.zeros(recording.shape, np.int32))
    room, known = background(recording, labels)
    for number, frame in enumerate(recording.frames()):
        labelled = labels.mask(number, recording.shape)
        one.process(frame, frame.image)
        two.process(frame, invert_labelled(frame.image, labelled))
        _require_same_poses(number, one.poses, two.poses)
        leaked = differs(one.environment, two.environment) | differs(one.anonymous, two.anonymous)
        result.labelled.append(int(np.count_nonzero(labelled)))
        result.leaked.append(int(np.count_nonzero(leaked)))
        confirmed_mask, valid_too = one.environment[..., 3] > 0, two.environment[..., 3] > 0
        visible = leaked & confirmed_mask & valid_too
        result.visible += int(np.count_nonzero(visible))
        result.levels += int(cv2.absdiff(one.environment, two.environment).max(axis=2)[visible].sum())
        colour = np.where(confirmed_mask[..., None], one.environment[..., :3], two.environment[..., :3])
        alike = known & (cv2.absdiff(colour, room).max(axis=2) <= ROOM_LEVELS)
        result.exposed += int(np.count_nonzero(visible | (leaked & (confirmed_mask != valid_too) & ~alike)))
        result.inside += int(np.count_nonzero(leaked & labelled))
        result.z_alone += one.z != two.z and np.array_equal(one.anonymous, two.anonymous)
        result.where += leaked
        result.confirmed.append(float((one.environment[..., 3] > 0).mean()))
    result.environment = one.environment[..., :3].copy()
    return result


def _require_same_poses(number: int, one: Sequence[SubjectPose], two: Sequence[SubjectPose]) -> None:
    # Poses are made from detections that are the same in both runs. Noise that is not would count as a leak of pixels.
    same = len(one) == len(two) and all(np.array_equal(a.keypoints, b.keypoints) for a, b in zip(one, two, strict=True))
    if not same:
        raise ValueError(
            f"frame {number}: poses differ between clip and counterfactual; give both erasers the same seed"
        )


def measure_baseline(recording: Recording, labels: Labels, obscure: Callable[[Image], Image]) -> Leak:
    """Return what leaks of a clip whose every frame is sent as `obscure` makes it: labelled pixels that differ."""
    result = Leak(where=np.zeros(recording.shape, np.int32))
    for number, frame in enumerate(recording.frames()):
        labelled = labels.mask(number, recording.shape)
        one, two = obscure(frame.image), obscure(invert_labelled(frame.image, labelled))
        leaked = differs(one, two) & labelled
        result.levels += int(cv2.absdiff(one, two).max(axis=2)[leaked].sum())
        result.labelled.append(int(np.count_nonzero(labelled)))
        result.leaked.append(int(np.count_nonzero(leaked)))
        result.where += leaked
    result.visible = result.exposed = result.inside = sum(result.leaked)
    return result


def differs(a: Image, b: Image) -> BoolArray:
    """Return (H, W), True where two pictures of any number of channels differ by more than LEVELS."""
    return np.asarray((cv2.absdiff(a, b) > LEVELS).any(axis=2), np.bool_)


def differential(
    clips: Sequence[tuple[Recording, Labels]],
    make_eraser: Callable[[str, Recording, Labels, str], Eraser],
    modes: Sequence[str],
    out: Path,
) -> AuditPart:
    """Run the test on all clips.

    make_eraser: called with mode, recording, labels and run (one of RUNS), returns a fresh eraser; one
    that needs a commissioned plate takes it from the pictures of that run. modes: of the engine. out: for the figures.
    """
    leaks: dict[str, dict[str, Leak]] = {}
    figures = []
    for recording, labels in clips:
        of_clip = {
            mode: measure_leak(recording, labels, *(make_eraser(mode, recording, labels, run) for run in RUNS))
            for mode in modes
        }
        of_clip |= {name: measure_baseline(recording, labels, obscure) for name, obscure in BASELINES.items()}
        leaks[recording.name] = of_clip
        path = out / f"leak_{recording.name}.png"
        _figure(recording, of_clip, path)
        figures.append((path, f"{recording.name}: leaked pixels over time, and where they are (over the environment)."))
    found = values(leaks)
    return AuditPart("Differential leak test", {"leak": found}, _text(found), figures)


def values(leaks: Mapping[str, Mapping[str, Leak]]) -> dict[str, Any]:
    """Return the figures of all clips. leaks: by clip and mode."""
    modes = list(next(iter(leaks.values())))
    labelled = sum(sum(clip[modes[0]].labelled) for clip in leaks.values())
    total: dict[str, Any] = {
        mode: sum(sum(clip[mode].leaked) for clip in leaks.values()) / labelled if labelled else None for mode in modes
    }
    total["exposed"] = {
        mode: sum(clip[mode].exposed for clip in leaks.values()) / labelled if labelled else None for mode in modes
    }
    clips = {name: {mode: leak.values() for mode, leak in clip.items()} for name, clip in leaks.items()}
    return total | {"labelled_pixels": labelled, "clips": clips}


def _text(found: dict[str, Any]) -> str:
    modes = list(next(iter(found["clips"].values())))
    rows = [
        f"| {name} | {clip[modes[0]]['labelled_pixels']:.3g} | "
        + " | ".join(_cell(clip[mode]) for mode in modes)
        + " |"
        for name, clip in found["clips"].items()
    ]
    total = " | ".join(f"**{_number(found[mode])}** ({_number(found['exposed'][mode])})" for mode in modes)
    rows.append(f"| **all** | {found['labelled_pixels']:.3g} | {total} |")
    return _TEXT.format(
        levels=LEVELS,
        margin=round(100 * MARGIN),
        blur=f"{100 * BLUR_SIGMA:.1f}",
        tile=f"{100 * TILE:.1f}",
        modes=" | ".join(modes),
        lines="---|" * (len(modes) + 2),
        rows="\n".join(rows),
    )


def _cell(leak: dict[str, Any]) -> str:
    return f"{_number(leak['fraction'])} ({_number(leak['exposed_fraction'])})" if leak["leaked_pixels"] else "0"


def _number(fraction: float | None) -> str:
    if fraction is None:
        return "nobody labelled"
    return "0" if fraction == 0 else f"{fraction:.2g}"


def _figure(recording: Recording, leaks: Mapping[str, Leak], path: Path) -> None:
    """Draw leaked pixels over time and, on the environment, where they are. Nobody is in it: what leaked is covered."""
    figure = plt.figure(figsize=(12, 6.5), layout="constrained")
    grid = figure.add_gridspec(2, len(leaks))
    curves = figure.add_subplot(grid[0, :])
    seconds = [recording.seconds(number) for number in range(len(recording))]
    first = next(iter(leaks.values()))
    curves.fill_between(seconds, first.labelled, color="#e2e8f0", label="labelled")
    # What leaves only in the first of the modes is drawn on, so that no other mode's leak is in the picture.
    room = cv2.cvtColor(cv2.cvtColor(first.environment, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2RGB) // 2 + 110
    room[first.where > 0] = 255
    for column, (mode, leak) in enumerate(leaks.items()):
        curves.plot(seconds, leak.leaked, label=mode, linewidth=1.2)
        axes = figure.add_subplot(grid[1, column])
        axes.imshow(room)
        heat = np.ma.masked_equal(leak.where, 0)
        axes.imshow(heat, cmap="autumn_r", vmin=0, vmax=max(1, len(recording)), interpolation="nearest")
        axes.set(title=f"{mode}: {_number(leak.fraction)}", xticks=[], yticks=[])
    curves.set_yscale("symlog", linthresh=10)
    curves.set(title=f"{recording.name}: pixels that differ", xlabel="s", ylabel="pixels a frame", ylim=(0, None))
    curves.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.savefig(path, dpi=100)
    plt.close(figure)
