"""Measures the fidelity of the environment picture outside of people, and the time until it is confirmed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from privcam_audit.audit_part import AuditPart
from privcam_audit.leakage.person_labels import Labels
from privcam_audit.leakage.true_background import background
from privcam_audit.perception_recording import Recording
from privcam_core.images.environment import decode_environment
from privcam_core.types.arrays import BoolArray, Image
from privcam_evaluation.plotting import LINE_COLOURS, plt

Eraser = Callable[..., Sequence[Any]]

# The first seconds of a clip, in which an environment may still be settling, are left out of the PSNR.
WARM_UP_S = 10.0
# The room counts as confirmed from this fraction of the picture on.
CONFIRMED = 0.99
# A clip can say something about an empty room when it shows one for so long, and about how soon it is confirmed when
# for so long: the time within which it should be.
EMPTY_S, JUDGED_S = 1.0, 10.0
_TEXT = """\
The picture of the room that leaves the edge was compared with the true background: the median over time of all pixels
in which nobody is labelled. Compared are pixels that are shown and have nobody labelled in that frame, from {warm_up:g} s
on. For scale, every raw frame was compared with the same background in the same way: the last column is the camera's own
noise and what the light did during the clip. An environment that is averaged over time has less noise than a frame.

| clip | empty room seen (s) | confirmed to 99 % after (s of empty room) | largest fraction confirmed | PSNR (dB) | PSNR of a raw frame (dB) |
|---|---|---|---|---|---|
{rows}

PSNR counts clips that show the empty room for at least {empty:g} s; the time counts those that show it for {judged:g} s or
were confirmed sooner. The figures of the report are those of the worst such clip.
"""  # noqa: E501


@dataclass
class Fidelity:
    """Of one clip. psnr_db: None where nothing could be compared. noise_db: of raw frames against the same background.

    empty_s: seconds of empty room seen. confirmed_s: of those, until CONFIRMED; None if never. best: largest fraction
    confirmed. seconds, fractions, decibels: over time.
    """

    psnr_db: float | None = None
    noise_db: float | None = None
    empty_s: float = 0.0
    confirmed_s: float | None = None
    best: float = 0.0
    seconds: list[float] = field(default_factory=list)
    fractions: list[float] = field(default_factory=list)
    decibels: list[float] = field(default_factory=list)

    @property
    def judged(self) -> bool:
        """Whether the clip says how soon an empty room is confirmed."""
        return self.confirmed_s is not None or self.empty_s >= JUDGED_S


def fidelity(clips: Sequence[tuple[Recording, Labels]], make_eraser: Callable[[], Eraser], out: Path) -> AuditPart:
    """Measure the environment of all clips. make_eraser: gives a fresh eraser. out: folder of the figure."""
    found = {recording.name: fidelity_of(recording, labels, make_eraser()) for recording, labels in clips}
    values = {
        name: {
            "psnr_db": _rounded(one.psnr_db),
            "raw_frame_psnr_db": _rounded(one.noise_db),
            "empty_s": round(one.empty_s, 2),
            "confirmed_s": _rounded(one.confirmed_s),
            "best_fraction": round(one.best, 4),
        }
        for name, one in found.items()
    }
    decibels = [one.psnr_db for one in found.values() if one.psnr_db is not None and one.empty_s >= EMPTY_S]
    times = [one.confirmed_s for one in found.values() if one.judged]
    reached = [seconds for seconds in times if seconds is not None]
    rows = [
        f"| {name} | {v['empty_s']} | {_shown(v['confirmed_s'])} | {100 * found[name].best:.1f} % "
        f"| {_shown(v['psnr_db'])} | {_shown(v['raw_frame_psnr_db'])} |"
        for name, v in values.items()
    ]
    summary = {
        "psnr_db": _rounded(min(decibels, default=None)),
        "confirmed_s": _rounded(max(reached)) if reached and len(reached) == len(times) else None,
        "clips": values,
    }
    text = _TEXT.format(warm_up=WARM_UP_S, empty=EMPTY_S, judged=JUDGED_S, rows="\n".join(rows))
    path = out / "environment.png"
    _figure(found, path)
    return AuditPart("The picture of the room", {"environment": summary}, text, [(path, _CAPTION)])


def fidelity_of(recording: Recording, labels: Labels, erase: Eraser) -> Fidelity:
    """Measure the environment of one clip."""
    truth, known = background(recording, labels)
    result = Fidelity()
    errors, raw_errors = _Errors(), _Errors()
    plate: Image = np.zeros((*recording.shape, 3), np.uint8)
    confirmed_mask: BoolArray = np.zeros(recording.shape, np.bool_)
    for number, frame in enumerate(recording.frames()):
        environment = erase(frame.key, frame.image, frame.detections, frame.tracks, frame.poses)[0]
        if environment.png:
            plate, confirmed_mask = decode_environment(environment.png)
        seconds, fraction = recording.seconds(number), float(confirmed_mask.mean())
        # Two frames without people are one period of an empty room, not two.
        if number and labels.empty(number) and labels.empty(number - 1):
            result.empty_s += 1 / recording.rate_hz
        result.best = max(result.best, fraction)
        if fraction >= CONFIRMED and result.confirmed_s is None:
            result.confirmed_s = result.empty_s
        free = known & ~labels.mask(number, recording.shape)
        error = _squares(plate, truth, free & confirmed_mask)
        result.seconds.append(seconds)
        result.fractions.append(fraction)
        result.decibels.append(_decibels(*error))
        if seconds >= WARM_UP_S:
            errors.add(*error)
            raw_errors.add(*_squares(frame.image, truth, free))
    result.psnr_db, result.noise_db = errors.decibels(), raw_errors.decibels()
    return result


class _Errors:
    def __init__(self) -> None:
        self._sum, self._count = 0.0, 0

    def add(self, squares: float, count: int) -> None:
        self._sum += squares
        self._count += count

    def decibels(self) -> float | None:
        return _decibels(self._sum, self._count) if self._count else None


def _squares(a: Image, b: Image, where: BoolArray) -> tuple[float, int]:
    """Return the sum of the squared differences of two pictures in `where`, and of how many values."""
    gap = a[where].astype(np.int32) - b[where]
    return float((gap * gap).sum()), gap.size


def _decibels(squares: float, count: int) -> float:
    """Return the PSNR in dB, NaN where nothing was compared."""
    return float(10 * np.log10(255**2 * count / max(squares, 1e-9))) if count else float("nan")


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 2)


def _shown(value: float | None) -> str:
    return "–" if value is None else str(value)


_CAPTION = (
    "Fraction of the picture that is confirmed background, and how true it is to the room, over the time of each clip."
)


def _figure(found: dict[str, Fidelity], path: Path) -> None:
    figure, (fractions, decibels) = plt.subplots(2, 1, figsize=(10, 7), sharex=True, layout="constrained")
    for axes in (fractions, decibels):
        axes.set_prop_cycle(color=LINE_COLOURS)
        axes.grid(alpha=0.3)
    for name, one in found.items():
        fractions.plot(one.seconds, [100 * fraction for fraction in one.fractions], label=name)
        decibels.plot(one.seconds, one.decibels)
    fractions.set(title="confirmed background", ylabel="% of the picture", ylim=(0, 102))
    decibels.set(title="PSNR outside people, shown pixels only", ylabel="dB", xlabel="s since the start of the clip")
    decibels.axhline(35, color="#718096", linestyle="--", linewidth=1)
    fractions.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.savefig(path, dpi=110)
    plt.close(figure)
