"""Runs the chosen scenarios on clips with each kind of evidence."""

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import get_args

import cv2
import numpy as np

from privcam_audit.edge_runs import SEED
from privcam_audit.scenarios.clip_frames import ClipFrames, UnusableClip, load_clip
from privcam_audit.scenarios.films.catalogue import SCENARIOS, Scenario
from privcam_audit.scenarios.scenario_perception import ModelPerception, ScenarioPerception, perceive_film
from privcam_audit.scenarios.scenario_report import Outcome
from privcam_audit.scenarios.scenario_run import STILLNESS_S, Edge, WorstFrame, run_film
from privcam_core.storage_key import KEY_BYTES, StorageKey
from privcam_privacy.background.engine_settings import EngineSettings
from privcam_privacy.egress.inline_executor import InlineExecutor
from privcam_privacy.eraser import Eraser
from privcam_privacy.evidence.approved_background import ApprovedState
from privcam_privacy.evidence.cell_evidence import Evidence
from privcam_privacy.poses.random_source import seeded
from privcam_privacy.state.background_state import BackgroundStateStore

EVIDENCE: tuple[Evidence, ...] = get_args(Evidence)
# For comparison: the frame minus the masks, which leaks.
BASELINE = "mask_only"
_SEED = 7

Say = Callable[[str], None]
# Makes the edge of a scenario: clip, scenario, kind of evidence, folder of its state.
MakeEdge = Callable[[ClipFrames, Scenario, str, Path], Edge]
# Of the state between two starts in a scenario. Nobody else writes there.
_KEY = StorageKey(bytes(KEY_BYTES))


@dataclass(frozen=True)
class ScenarioOptions:
    """How scenarios are run. seconds: of each clip, all if None. counterfactual: run that test as well.

    clips_per_scenario: each scenario is run on so many of the clips, in turn over all of them; None for all.
    """

    out: Path
    scenarios: Sequence[str] = tuple(SCENARIOS)
    evidence: Sequence[str] = EVIDENCE
    seconds: float | None = None
    counterfactual: bool = False
    clips_per_scenario: int | None = None
    threads: int = 1

    def chosen(self, clip: int, clips: int) -> list[str]:
        """Return the scenarios that are run on clip number `clip` (from 0) of `clips`."""
        wanted = self.clips_per_scenario
        if wanted is None or wanted >= clips:
            return list(self.scenarios)
        # Clips beside each other are often of the same room: those of one scenario are far apart.
        return [
            name
            for number, name in enumerate(self.scenarios)
            if clip in {(number + part * clips // wanted) % clips for part in range(wanted)}
        ]


def make_edge(clip: ClipFrames, scenario: Scenario, kind: str, folder: Path, *, threads: int = 1) -> Edge:
    """Return the edge with its default settings and one kind of evidence."""
    if kind == BASELINE:
        return Eraser("mask_only", random_bytes=seeded(SEED), threads=threads)
    settings = EngineSettings(
        evidence=next(evidence for evidence in EVIDENCE if evidence == kind),
        stillness_s=STILLNESS_S,
        mask_zones=scenario.mask_zones(clip),
    )
    rooms = [ApprovedState(scenario.name, scenario.room(clip), clip.known)] if kind == "commissioned" else []
    store = BackgroundStateStore(folder, clip.name, _KEY, InlineExecutor())
    return Eraser("adaptive", settings, approved=rooms, random_bytes=seeded(SEED), state=store, threads=threads)


def audit_scenarios(paths: Sequence[Path], options: ScenarioOptions, say: Say) -> Iterator[list[Outcome]]:
    """Yield the outcomes of one scenario of one clip after another. A clip without people is left out, and said so.

    Raises SourceError for a clip that cannot be read.
    """
    for index, path in enumerate(paths):
        scenarios = options.chosen(index, len(paths))
        if not scenarios:
            continue
        say(f"{path.name}: looking for people and labelling them")
        try:
            clip = load_clip(path, cache=options.out / "cache", seconds=options.seconds, threads=options.threads)
            say(f"{clip.name}: people in frames {clip.first} to {clip.last} of {len(clip.images)}")
        except UnusableClip as error:
            say(f"{error}; left out")
            continue
        make = partial(make_edge, threads=options.threads)
        perception = ModelPerception(options.threads)
        for name in scenarios:
            yield run_scenario(clip, SCENARIOS[name], options, perception, make, say)


def run_scenario(
    clip: ClipFrames,
    scenario: Scenario,
    options: ScenarioOptions,
    perception: ScenarioPerception,
    make: MakeEdge,
    say: Say,
) -> list[Outcome]:
    """Return the outcomes of one scenario of one clip. People are searched for once, for all kinds of evidence."""
    began = time.monotonic()
    found = list(perceive_film(scenario.film(clip, np.random.default_rng(_SEED)), perception))
    outcomes = []
    for kind in options.evidence:
        with tempfile.TemporaryDirectory(prefix="privcam-scenario-") as folder:
            leak, worst = run_film(
                # The same seed makes the same film again: its frames are not kept in memory.
                scenario.film(clip, np.random.default_rng(_SEED)),
                found,
                partial(make, clip, scenario, kind),
                Path(folder),
                counterfactual=options.counterfactual,
            )
        outcomes.append(Outcome(clip.name, scenario.name, kind, leak))
        if worst is not None:
            _write_worst(worst, options.out / f"worst_{clip.name}_{scenario.name}_{kind}.png")
    parts = ", ".join(
        f"{o.evidence} {'-' if o.leak.fraction is None else f'{o.leak.fraction:.1e}'} of people,"
        f" {o.leak.confirmed_end:.0%} shown"
        for o in outcomes
    )
    say(f"{clip.name}, {scenario.name}: {len(found)} frames in {time.monotonic() - began:.0f} s: {parts}")
    return outcomes


def _write_worst(worst: WorstFrame, path: Path) -> None:
    """Write the worst frame beside the environment, with what leaked in red. It shows people: it stays in `out`."""
    environment = worst.environment
    if environment.shape != worst.image.shape:
        environment = np.asarray(cv2.resize(environment, worst.image.shape[1::-1]), np.uint8)
    marked = environment.copy()
    marked[worst.leaking] = (0, 0, 255)
    if not cv2.imwrite(str(path), np.hstack([worst.image, environment, marked])):
        raise OSError(f"{path}: cannot be written")
