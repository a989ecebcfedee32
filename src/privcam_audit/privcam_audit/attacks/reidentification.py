"""Re-identification attack: names subjects and their behaviour from raw and from anonymised poses."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import sqrt
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import numpy.typing as npt

from privcam_anonymization.anonymizer import PoseSettings
from privcam_audit.attacks.pose_sequences import PoseClip, anonymise, msr_action3d
from privcam_audit.attacks.sequence_classifiers import cross_validate, features
from privcam_audit.audit_part import AuditPart
from privcam_core.types.arrays import BoolArray
from privcam_evaluation.plotting import plt

TITLE = "Re-identification from poses"
# The steps of the anonymiser were chosen on these subjects of MSR Action3D; what is reported is of the others.
CHOSEN_ON = ("s01", "s02", "s03", "s04", "s05")
# A source with fewer subjects is not measured.
_MIN_SUBJECTS = 2
# A subject with fewer clips is left out.
_MIN_CLIPS = 2
# Number of groups of actions, each of which is held out once.
_ACTION_GROUPS = 5
_Z = 1.96  # of a 95 % interval
_FIGURE = "reidentification.png"


@dataclass(frozen=True)
class Score:
    """A fraction of clips named rightly by the best attacker, with its 95 % interval (Wilson). best: its name."""

    fraction: float
    low: float
    high: float
    clips: int
    best: str


@dataclass(frozen=True)
class ReidentificationResult:
    """The result for one source of clips.

    chance: fraction of the subject with most clips. transferred: trained on raw, tried on canonical poses.
    other_actions: raw and canonical, tried on actions that the attacker never saw anybody do. behaviour and
    action: chance, raw, canonical; None where they are not known.
    """

    source: str
    subjects: int
    clips: int
    chance: float
    raw: Score
    canonical: Score
    transferred: Score
    other_actions: tuple[Score, Score] | None
    behaviour: tuple[float, Score, Score] | None
    action: tuple[float, Score, Score] | None


def reidentification(clips: Sequence[PoseClip], out: Path, skeletons: Path | None, settings: PoseSettings) -> AuditPart:
    """Attack the identity of the subjects of clips, and of MSR Action3D where the folder `skeletons` has it.

    out: folder for the figure. settings: of the anonymiser; the noise of each clip has its own seed, from its name.
    """
    msr = [clip for clip in msr_action3d(skeletons) if clip.subject not in CHOSEN_ON] if skeletons else []
    sources = dict.fromkeys(clip.source for clip in (*msr, *clips))
    found, skipped = [], []
    for source in sources:
        mine = _enough([clip for clip in (*msr, *clips) if clip.source == source])
        if mine:
            found.append(attack(source, mine, settings))
        else:
            skipped.append(source)
    if not found:
        nothing: dict[str, Any] = {
            "raw": None,
            "canonical": None,
            "chance": None,
            "interval": None,
            "behaviour": None,
            "datasets": {},
        }
        text = (
            f"Not measured: no source has {_MIN_SUBJECTS} subjects with {_MIN_CLIPS} clips each. Give clips beside "
            "an `annotations.json` with a `subject` each, or longer clips with two people."
        )
        return AuditPart(TITLE, {"reid": nothing}, text)
    # The largest source is the one with the narrowest interval; all of them are in the table.
    main = max(found, key=lambda one: one.clips)
    figure = out / _FIGURE
    _draw(found, figure)
    caption = "Clips whose subject, and whose behaviour, the best attacker names rightly, with 95 % intervals."
    return AuditPart(TITLE, {"reid": _values(main, found)}, _text(main, found, skipped), [(figure, caption)])


def attack(source: str, clips: Sequence[PoseClip], settings: PoseSettings) -> ReidentificationResult:
    """Return what attackers find in the clips of one source, as they are and anonymised."""
    canonical = replace(settings, mode="canonical")
    hidden = [anonymise(clip, canonical, seed=crc32(clip.name.encode())) for clip in clips]
    raw_features = np.array([features(clip.times, clip.poses) for clip in clips])
    features_hidden = np.array([features(clip.times, clip.poses) for clip in hidden])
    sessions, subjects = [clip.session for clip in clips], [clip.subject for clip in clips]

    def best(train: npt.NDArray[np.float64], test: npt.NDArray[np.float64], labels: Sequence[str]) -> Score:
        return strongest(cross_validate(train, test, labels, sessions))

    def elsewhere() -> tuple[Score, Score] | None:
        actions = sorted({clip.action for clip in clips if clip.action is not None})
        if len(actions) < _ACTION_GROUPS or any(clip.action is None for clip in clips):
            return None
        groups = [str(actions.index(clip.action) % _ACTION_GROUPS) for clip in clips if clip.action is not None]
        kinds = raw_features, features_hidden
        raw, canonical = (strongest(cross_validate(kind, kind, subjects, groups)) for kind in kinds)
        return raw, canonical

    def both(labels: Sequence[str | None]) -> tuple[float, Score, Score] | None:
        named = [label for label in labels if label is not None]
        if len(named) < len(labels) or len(set(named)) < 2:
            return None
        return (
            majority(named),
            best(raw_features, raw_features, named),
            best(features_hidden, features_hidden, named),
        )

    return ReidentificationResult(
        source=source,
        subjects=len(set(subjects)),
        clips=len(clips),
        chance=majority(subjects),
        raw=best(raw_features, raw_features, subjects),
        canonical=best(features_hidden, features_hidden, subjects),
        transferred=best(raw_features, features_hidden, subjects),
        other_actions=elsewhere(),
        behaviour=both([clip.behaviour for clip in clips]),
        action=both([clip.action for clip in clips]),
    )


def wilson(right: int, count: int) -> tuple[float, float]:
    """Return the 95 % interval (Wilson) of a fraction of `right` out of `count`."""
    fraction, z2 = right / count, _Z**2
    middle = (fraction + z2 / (2 * count)) / (1 + z2 / count)
    half = _Z * sqrt(fraction * (1 - fraction) / count + z2 / (4 * count**2)) / (1 + z2 / count)
    return max(0.0, middle - half), min(1.0, middle + half)


def strongest(right: dict[str, BoolArray]) -> Score:
    """Return how good the best attacker is; right: see `cross_validate`."""
    name = max(right, key=lambda attacker: int(right[attacker].sum()))
    hits, count = int(right[name].sum()), len(right[name])
    return Score(hits / count, *wilson(hits, count), count, name)


def _enough(clips: Sequence[PoseClip]) -> list[PoseClip]:
    """Return the clips of subjects that have enough of them, [] if too few subjects are left."""
    sessions: dict[str, set[str]] = {}
    for clip in clips:
        sessions.setdefault(clip.subject, set()).add(clip.session)
    kept = [clip for clip in clips if len(sessions[clip.subject]) >= _MIN_CLIPS]
    return kept if len({clip.subject for clip in kept}) >= _MIN_SUBJECTS else []


def majority(labels: Sequence[str]) -> float:
    """Return the fraction of the commonest label: what always saying the same gets right."""
    return max(labels.count(label) for label in set(labels)) / len(labels)


def _values(main: ReidentificationResult, found: Sequence[ReidentificationResult]) -> dict[str, Any]:
    def pair(scores: tuple[float, Score, Score] | None) -> dict[str, Any] | None:
        if scores is None:
            return None
        chance, raw, canonical = scores
        return {"raw": raw.fraction, "canonical": canonical.fraction, "chance": chance}

    def entry(one: ReidentificationResult) -> dict[str, Any]:
        scores = {"raw": one.raw, "canonical": one.canonical, "transferred": one.transferred}
        return {
            **{name: score.fraction for name, score in scores.items()},
            "chance": one.chance,
            "interval": {name: [score.low, score.high] for name, score in scores.items()},
            "behaviour": pair(one.behaviour),
            "action": pair(one.action),
            "other_actions": one.other_actions
            and {"raw": one.other_actions[0].fraction, "canonical": one.other_actions[1].fraction},
            "subjects": one.subjects,
            "clips": one.clips,
        }

    values = entry(main)
    kept = ("raw", "canonical", "chance", "interval", "behaviour")
    return {**{key: values[key] for key in kept}, "datasets": {one.source: entry(one) for one in found}}


def _text(main: ReidentificationResult, found: Sequence[ReidentificationResult], skipped: Sequence[str]) -> str:
    lines = [
        "Attackers (extra trees, SVM, logistic regression; settings fixed in advance, the best one "
        "counts) learn subjects from some clips and name those of the clips kept apart. They see a body relative to "
        "its own hips and size; rooms and places are kept from them. Chance is always naming the subject with most "
        "clips. *raw to canonical* learns from raw poses and is tried on what leaves.",
        "",
        "| source | subjects, clips | chance | raw | canonical | raw to canonical | behaviour raw, canonical |",
        "|---|---|---|---|---|---|---|",
    ]
    for one in found:
        behaviour = "not labelled"
        if one.behaviour is not None:
            behaviour = f"{_percent(one.behaviour[1])}, {_percent(one.behaviour[2])} (chance {one.behaviour[0]:.0%})"
        if one.action is not None:
            behaviour += f"; finer actions {one.action[1].fraction:.0%}, {one.action[2].fraction:.0%}"
        lines.append(
            f"| {one.source} | {one.subjects}, {one.clips} | {one.chance:.0%} | {_percent(one.raw)} "
            f"| {_percent(one.canonical)} | {_percent(one.transferred)} | {behaviour} |"
        )
    above = main.canonical.fraction - main.chance
    lines += [
        "",
        f"On {main.source} canonical poses are named {100 * above:.0f} points above chance. What is left is how "
        "somebody moves, and how they stood to the camera in that session. The best of three "
        "attackers is slightly above chance by luck alone. The settings were chosen on subjects "
        f"{CHOSEN_ON[0]} to {CHOSEN_ON[-1]} of MSR Action3D; those are not in the table.",
    ]
    if main.other_actions is not None:
        raw, canonical = main.other_actions
        lines.append(
            f"Tried on actions that the attacker has seen nobody do, {_percent(raw)} are named from raw and "
            f"{_percent(canonical)} from canonical poses."
        )
    if skipped:
        names = ", ".join(skipped)
        lines.append(f"Too few subjects with {_MIN_CLIPS} clips each to measure: {names}.")
    return "\n".join(lines)


def _percent(score: Score) -> str:
    return f"{score.fraction:.0%} ({score.low:.0%} to {score.high:.0%})"


def _draw(found: Sequence[ReidentificationResult], path: Path) -> None:
    """Draw the accuracies with intervals, subjects on the left and behaviour on the right."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), sharey=True)
    behaviours = [(one.source, *one.behaviour) for one in found if one.behaviour is not None]
    _draw_accuracy(left, "Whose poses are these?", [(one.source, one.chance, one.raw, one.canonical) for one in found])
    _draw_accuracy(right, "What is being done?", behaviours)
    left.set_ylabel("clips named rightly, %")
    left.legend(loc="upper right")
    figure.tight_layout()
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def _draw_accuracy(axes: Any, title: str, rows: Sequence[tuple[str, float, Score, Score]]) -> None:
    for shift, name, colour, scores in (
        (-0.2, "raw poses", "#9a6a2f", [row[2] for row in rows]),
        (0.2, "canonical poses", "#2f6f9a", [row[3] for row in rows]),
    ):
        fractions = np.array([score.fraction for score in scores])
        spread = np.array([[s.fraction - s.low, s.high - s.fraction] for s in scores]).reshape(-1, 2).T
        at = np.arange(len(rows)) + shift
        axes.bar(at, 100 * fractions, 0.38, label=name, color=colour, yerr=100 * np.maximum(spread, 0), capsize=4)
    for number, row in enumerate(rows):
        label = "chance" if number == 0 else None
        axes.plot([number - 0.42, number + 0.42], [100 * row[1]] * 2, "k--", linewidth=1.5, label=label)
    axes.set_xticks(range(len(rows)), [row[0] for row in rows])
    axes.set_ylim(0, 108)
    axes.set_title(title)
