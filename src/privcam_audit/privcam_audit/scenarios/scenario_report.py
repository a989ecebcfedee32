"""The report of the scenarios: one table of scenario and evidence, as text, Markdown, JSON and a figure."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from privcam_audit.scenarios.films.catalogue import SCENARIOS, SHOWN_S
from privcam_audit.scenarios.films.film import EMPTY_S
from privcam_audit.scenarios.room_share import RoomShare
from privcam_audit.scenarios.scenario_run import STILLNESS_S
from privcam_audit.scenarios.value_leak import ValueLeak
from privcam_evaluation.plotting import BLUE, ORANGE, plt
from privcam_privacy.background.engine_settings import EngineSettings

# What may leak: the criterion of the whole audit, of labelled person pixels.
MAX_FRACTION = 1e-5
# A clip shows enough for its zero to mean something when more than this fraction of the picture is shown at its end.
SHOWN_FRACTION = 0.5
_TEXT = """\
# Scenarios

{clips} clip(s): {names}. Each was changed into {scenarios} situations, and each situation ran through the edge
with each kind of evidence. A pixel of a person leaks when the environment shows, inside the label of the person, the
person's value (within {levels:g} levels, less in the dark) and not the room's.

In each cell: leaked pixels of the labelled person pixels, summed over all frames and clips; the fraction of the
picture that is shown at the end, mean over the clips; and how many clips show more than half of it at any time.
A zero with nothing shown says little.

{table}

## Losing cases

{losing}

## The commissioned room

Fraction of the approved room that is shown, outside of people, of their margins and of where they were in the last
{hold_s:g} s: mean over the clips, and the clip with least. {shown_s:g} s after the start; at the mark, which is another
time where the light changes in the film; and at the end.

{rooms}

## Pictures of people on the wall

{depicted}

## Counterfactual

{counterfactual}

## Scenarios

{texts}

## What this does not show

- Detections are those of the detector without looking again, so the edge itself may find more people.
- Where the true room is not known behind a person, all of the label without its margin counts as the person.
- A poster or a screen without a mask zone is withheld where the edge takes its people for people, and shown elsewhere.
- Before each situation but `daylight` and those that begin with somebody still, the true background of the clip is
  shown as an empty room for {empty_s:g} s. Where it is not known it is painted.
- Evidence `stillness` needs {stillness_s:g} s here and not half an hour, so it shows what is still sooner.
"""


@dataclass(frozen=True, eq=False)
class Outcome:
    """What came out of one scenario of one clip with one kind of evidence."""

    clip: str
    scenario: str
    evidence: str
    leak: ValueLeak


def cell(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return the figures of one scenario and evidence, over its clips."""
    labelled, leaked = sum(o.leak.labelled for o in outcomes), sum(o.leak.leaked for o in outcomes)
    counted = [o.leak.counterfactual for o in outcomes if o.leak.counterfactual is not None]
    return {
        "clips": len(outcomes),
        "leaked_pixels": leaked,
        "labelled_pixels": labelled,
        "fraction": leaked / labelled if labelled else None,
        "confirmed_fraction": float(np.mean([o.leak.confirmed_end for o in outcomes])),
        "clips_shown": sum(max(o.leak.confirmed, default=0.0) > SHOWN_FRACTION for o in outcomes),
        "counterfactual_pixels": sum(counted) if counted else None,
    }


def table(outcomes: Sequence[Outcome]) -> dict[str, dict[str, dict[str, Any]]]:
    """Return the figures by scenario and evidence, in the order of the outcomes."""
    found: dict[str, dict[str, list[Outcome]]] = {}
    for outcome in outcomes:
        found.setdefault(outcome.scenario, {}).setdefault(outcome.evidence, []).append(outcome)
    return {name: {kind: cell(group) for kind, group in kinds.items()} for name, kinds in found.items()}


def losing(outcomes: Sequence[Outcome]) -> list[str]:
    """Return a sentence for each case in which too much leaks, the worst one first."""
    leaking = [o for o in outcomes if (o.leak.fraction or 0.0) > MAX_FRACTION]
    return [
        f"{o.scenario}, {o.evidence}, {o.clip}: {o.leak.leaked} of {o.leak.labelled} person pixels"
        f" ({o.leak.fraction or 0.0:.2e}), first after {o.leak.first_s:.1f} s, worst after {o.leak.worst_s:.1f} s with"
        f" {o.leak.worst} px; {o.leak.confirmed_end:.0%} of the picture is shown at the end."
        for o in sorted(leaking, key=lambda o: -(o.leak.fraction or 0.0))
    ]


def markdown_table(outcomes: Sequence[Outcome]) -> str:
    """Return the table of scenario and evidence."""
    found = table(outcomes)
    kinds = list(dict.fromkeys(o.evidence for o in outcomes))
    rows = [f"| scenario | {' | '.join(kinds)} |", "|---" * (len(kinds) + 1) + "|"]
    for name, cells in found.items():
        rows.append(f"| {name} | {' | '.join(_cell_text(cells[kind]) if kind in cells else '–' for kind in kinds)} |")
    return "\n".join(rows)


def room_table(outcomes: Sequence[Outcome]) -> str:
    """Return the table of what is shown of the commissioned room."""
    found: dict[str, list[RoomShare]] = {}
    for o in outcomes:
        if o.evidence == "commissioned" and o.leak.room is not None and o.leak.room.frames:
            found.setdefault(o.scenario, []).append(o.leak.room)
    rows = [f"| scenario | clips | {SHOWN_S:g} s | mark | end |", "|---|---|---|---|---|"]
    for name, rooms in found.items():
        marks = (SHOWN_S, SCENARIOS[name].mark_s, rooms[0].frames[-1][0] + 1e6)
        shares = ([share for room in rooms if (share := room.at(mark)) is not None] for mark in marks)
        cells = (f"{np.mean(some):.1%}, {min(some):.1%}" if some else "–" for some in shares)
        rows.append(f"| {name} | {len(rooms)} | {' | '.join(cells)} |")
    return "\n".join(rows)


def write_report(
    outcomes: Sequence[Outcome], texts: Mapping[str, str], made: Mapping[str, Any], levels: float, out: Path
) -> None:
    """Write report.md, report.json and scenarios.png into `out`. texts: what each scenario is."""
    cases = losing(outcomes)
    names = list(dict.fromkeys(o.clip for o in outcomes))
    content = {
        "made": dict(made),
        "clips": names,
        "table": table(outcomes),
        "outcomes": [
            {"clip": o.clip, "scenario": o.scenario, "evidence": o.evidence, **o.leak.values()} for o in outcomes
        ],
        "losing": cases,
    }
    text = json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False)
    (out / "report.json").write_text(f"{text}\n", encoding="utf-8")
    _figure(outcomes, out / "scenarios.png")
    report = _TEXT.format(
        clips=len(names),
        names=", ".join(names),
        scenarios=len({o.scenario for o in outcomes}),
        levels=levels,
        empty_s=EMPTY_S,
        stillness_s=STILLNESS_S,
        table=markdown_table(outcomes),
        losing=_list(cases, "None was found."),
        rooms=room_table(outcomes),
        hold_s=EngineSettings().person_hold_s,
        shown_s=SHOWN_S,
        depicted=_list(_depicted(outcomes), "Not part of this run."),
        counterfactual=_list(_counterfactual(outcomes), "Not part of this run (`--counterfactual`)."),
        texts=_list([f"`{name}`: {text}." for name, text in texts.items()], ""),
    )
    figure = "![Leaked fraction of each scenario](scenarios.png)\n"
    (out / "report.md").write_text(
        f"{report}\n{figure}\nMade: `{made['command']}`, {made['date']}.\n", encoding="utf-8"
    )


def _cell_text(values: Mapping[str, Any]) -> str:
    fraction = values["fraction"]
    leak = "nobody" if fraction is None else "0" if not fraction else f"**{fraction:.1e}**"
    return f"{leak}; {values['confirmed_fraction']:.0%}; {values['clips_shown']} of {values['clips']}"


def _depicted(outcomes: Sequence[Outcome]) -> list[str]:
    return [
        f"{o.scenario}, {o.evidence}, {o.clip}:"
        f" {o.leak.depicted_displayed / o.leak.depicted:.0%} of its pixels are shown."
        for o in outcomes
        if o.leak.depicted
    ]


def _counterfactual(outcomes: Sequence[Outcome]) -> list[str]:
    tested = [o for o in outcomes if o.leak.counterfactual is not None]
    if not tested:
        return []
    lines = [
        f"{o.scenario}, {o.evidence}, {o.clip}: {o.leak.counterfactual} pixels."
        for o in tested
        if o.leak.counterfactual
    ]
    summary = f"{len(tested)} runs were repeated with other values in people; {len(lines)} of them show another colour."
    return [summary, *lines]


def _list(lines: Sequence[str], otherwise: str) -> str:
    return "\n".join(f"- {line}" for line in lines) or otherwise


def _figure(outcomes: Sequence[Outcome], path: Path) -> None:
    found = table(outcomes)
    kinds = list(dict.fromkeys(o.evidence for o in outcomes))
    figure, axes = plt.subplots(1, len(kinds), figsize=(3.2 * len(kinds) + 2, 0.3 * len(found) + 1.5), sharey=True)
    rows = np.arange(len(found))
    for axis, kind in zip(np.atleast_1d(axes), kinds, strict=True):
        cells = [found[name].get(kind) for name in found]
        axis.barh(rows - 0.2, [100 * c["confirmed_fraction"] if c else 0 for c in cells], 0.4, color=BLUE)
        axis.barh(rows + 0.2, [100 * (c["fraction"] or 0) if c else 0 for c in cells], 0.4, color=ORANGE)
        axis.set_title(kind)
        axis.set_xlim(0, 100)
        axis.set_xlabel("%")
    first = np.atleast_1d(axes)[0]
    first.set_yticks(rows, list(found))
    first.invert_yaxis()
    figure.legend(["picture shown at the end", "person pixels leaked"], loc="lower center", ncols=2, frameon=False)
    figure.tight_layout(rect=(0, 0.05, 1, 1))
    figure.savefig(path, dpi=110)
    plt.close(figure)
