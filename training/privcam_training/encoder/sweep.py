"""The sweep over β: how many bits z has, what they are good for, and what they give away.

β is chosen on one half of the scenes and subjects, and every figure that is reported is of the other half.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import torch

from privcam_training.encoder.encoder_fitting import Coder, Views, counted, fit_bottleneck, maps_of, sample_z
from privcam_training.encoder.encoder_network import Map
from privcam_training.encoder.leakage import Naming, inverted, named, naming
from privcam_training.encoder.recordings import Moment
from privcam_training.encoder.scenes import Array, kinds_of

mpl.use("Agg")
from matplotlib import pyplot as plt

BETAS = (1e-3, 1e-2, 3e-2, 1e-1, 2e-1, 3e-1, 1.0)
HEAD_EPOCHS = 40
# As good as the best: the largest β that loses no more than this of the count and of the cells is chosen.
_COUNT_LOSS, _LAYOUT_LOSS = 0.02, 0.05
_SEED = 3


@dataclass(frozen=True)
class Point:
    """One β. bits: a frame. count, layout: fraction of frames, and of cells, told rightly from z of real clips.

    balanced_layout: mean over cells with and without somebody. kinds: fraction of postures told rightly, of simulated
    people. z_db, both_db: what pictures computed back from z, and from z and P, improve over the mean picture.
    named: fraction of subjects named from z, with its 95 % interval; chance: by always saying the same.
    """

    beta: float
    bits: float
    count: float
    balanced_layout: float
    kinds: float
    z_db: float | None = None
    both_db: float | None = None
    named: tuple[float, float, float] | None = None
    chance: float | None = None


@dataclass(frozen=True)
class Half:
    """Real frames and sequences on which something is chosen or reported, with what the bottleneck takes of them."""

    moments: Sequence[Moment]
    features: Array
    naming: Naming | None
    naming_features: Array


def halves(places: Map, moments: Sequence[Moment], skeletons: Path | None) -> tuple[Half, Half]:
    """Return what β is chosen on, and what is reported. Scenes and subjects are in one of them only."""
    groups = sorted({moment.clip.group for moment in moments})
    chosen_on = set(groups[::2])
    made = []
    for report in (False, True):
        mine = [moment for moment in moments if (moment.clip.group in chosen_on) != report]
        sequences = naming(skeletons, report=report) if skeletons else None
        features = maps_of(places, np.array([moment.picture for moment in mine]))
        made.append(Half(mine, features, sequences, maps_of(places, sequences.pictures if sequences else features[:0])))
    return made[0], made[1]


def trained(made: Views) -> list[Coder]:
    """Return a bottleneck for each β."""
    coders = []
    for beta in BETAS:
        coders.append(fit_bottleneck(made, beta=beta, epochs=HEAD_EPOCHS))
        print(f"[encoder] β {beta:g}: {coders[-1].rate:.1f} bits", file=sys.stderr, flush=True)
    return coders


def useful(coder: Coder, half: Half, others: Views) -> Point:
    """Return what z is good for. others: simulated people that nothing was trained on."""
    with torch.no_grad():
        real = coder.tasks(sample_z(coder, half.features, _SEED))
        made = coder.tasks(sample_z(coder, others.features, _SEED))
    count = np.array([moment.count for moment in half.moments])
    layout = np.array([moment.layout for moment in half.moments])
    said = real.layout.numpy() > 0
    return Point(
        beta=coder.beta,
        bits=coder.rate,
        count=float((real.count.argmax(dim=1).numpy() == count).mean()),
        balanced_layout=float((said[layout].mean() + (~said[~layout]).mean()) / 2),
        kinds=float(((made.kinds.numpy() > 0) == kinds_of(others.people)).mean()),
    )


def chosen(points: Sequence[Point]) -> int:
    """Return which β to take: the largest that counts, and says where people are, about as well as the best one."""
    count, layout = max(point.count for point in points), max(point.balanced_layout for point in points)
    good = [
        i
        for i, point in enumerate(points)
        if point.count >= count - _COUNT_LOSS and point.balanced_layout >= layout - _LAYOUT_LOSS
    ]
    # Where none is good at both, the smallest β loses least.
    return max(good, key=lambda i: points[i].beta) if good else min(range(len(points)), key=lambda i: points[i].beta)


def recognised(point: Point, coder: Coder, half: Half) -> Point:
    """Return a point with how many subjects are named from z."""
    if half.naming is None:
        return point
    hits = named(half.naming, sample_z(coder, half.naming_features, _SEED).numpy())
    return replace(point, named=(hits.fraction, hits.low, hits.high), chance=half.naming.chance)


def inverted_from(point: Point, coder: Coder, half: Half, out: Path) -> Point:
    """Return a point with how well persons are computed back."""
    z_db, both_db, mean_db = inverted(half.moments, sample_z(coder, half.features, _SEED).numpy(), out)
    return replace(point, z_db=z_db - mean_db, both_db=both_db - mean_db)


def by_count(coder: Coder, half: Half) -> dict[int, tuple[int, float]]:
    """Return for each number of people how many frames there are, and the fraction counted rightly."""
    said = counted(coder, half.features, _SEED)
    count = np.array([moment.count for moment in half.moments])
    return {int(n): (int((count == n).sum()), float((said[count == n] == n).mean())) for n in np.unique(count)}


def by_clip(coder: Coder, half: Half) -> dict[str, float]:
    """Return the fraction of frames counted rightly of each clip, the worst first."""
    said = counted(coder, half.features, _SEED)
    right = said == np.array([moment.count for moment in half.moments])
    names = np.array([moment.clip.name for moment in half.moments])
    fractions = {str(name): float(right[names == name].mean()) for name in np.unique(names)}
    return dict(sorted(fractions.items(), key=lambda both: both[1]))


def figure(points: Sequence[Point], taken: int, path: Path) -> None:
    """Draw what z is good for and what it gives away, over its bits."""
    drawing, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
    bits = [point.bits for point in points]
    for name, values in (
        ("number of people, exactly", [point.count for point in points]),
        ("where (cells)", [point.balanced_layout for point in points]),
        ("postures (simulated)", [point.kinds for point in points]),
    ):
        left.plot(bits, [100 * value for value in values], "o-", label=name)
    left.set(title="what z is good for", ylabel="% right", xlabel="bits a frame")
    left.axhline(95, color="k", linestyle=":", linewidth=1)
    middle.plot(bits, [point.z_db for point in points], "o-", label="from z alone")
    middle.plot(bits, [point.both_db for point in points], "o-", label="from z and poses")
    middle.axhline(0.5, color="k", linestyle=":", linewidth=1)
    middle.set(title="persons computed back", ylabel="dB over the mean picture", xlabel="bits a frame")
    known = [(point.bits, point.named, point.chance) for point in points if point.named and point.chance is not None]
    if known:
        fractions, chance = 100 * np.array([named for _, named, _ in known]), 100 * known[0][2]
        spread = np.abs(fractions[:, 1:] - fractions[:, :1]).T
        right.errorbar([b for b, _, _ in known], fractions[:, 0], spread, fmt="o-", capsize=3, label="named from z")
        right.axhline(chance, color="k", linestyle="--", label="chance")
        right.axhline(chance + 5, color="k", linestyle=":", linewidth=1)
    right.set(title="subjects named", ylabel="%", xlabel="bits a frame")
    for axes in (left, middle, right):
        axes.axvline(points[taken].bits, color="#dd6b20", linewidth=1)
        axes.set_xscale("log")
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    drawing.suptitle("β from right to left; the line is the one taken; dotted: the acceptance criteria")
    drawing.savefig(path, dpi=110)
    plt.close(drawing)


def write(points: Sequence[Point], taken: int, extra: Mapping[str, Any], out: Path) -> None:
    """Write sweep.json, sweep.md and sweep.png."""
    out.mkdir(parents=True, exist_ok=True)
    said = {"taken": points[taken].beta, "points": [asdict(point) for point in points], **extra}
    (out / "sweep.json").write_text(json.dumps(said, indent=1) + "\n", encoding="utf-8")
    (out / "sweep.md").write_text(table(points, taken) + "\n", encoding="utf-8")
    figure(points, taken, out / "sweep.png")


def table(points: Sequence[Point], taken: int) -> str:
    """Return the points as a table in Markdown, the one taken in bold."""
    lines = [
        "| β | bits a frame | counted exactly | where, cells | postures, simulated | persons from z, and from z and P |"
        " named from z (chance) |",
        "|---|---|---|---|---|---|---|",
    ]
    for index, point in enumerate(points):
        visible = "–" if point.z_db is None else f"{point.z_db:+.2f}, {point.both_db:+.2f} dB"
        names = "–"
        if point.named is not None:
            fraction, low, high = point.named
            names = f"{fraction:.0%}, {low:.0%} to {high:.0%} ({point.chance:.0%})"
        beta = f"**{point.beta:g}**" if index == taken else f"{point.beta:g}"
        good = f"{point.count:.3f} | {point.balanced_layout:.3f} | {point.kinds:.3f}"
        lines.append(f"| {beta} | {point.bits:.1f} | {good} | {visible} | {names} |")
    return "\n".join(lines)
