"""Runs the chosen scenarios on clips with each kind of evidence."""

import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import get_args

import cv2
import numpy as np

from privcam_anonymization.random_source import seeded
from privcam_audit.edge_runs import SEED
from privcam_audit.scenarios.clip_frames import ClipFrames, UnusableClip, load_clip
from privcam_audit.scenarios.films.catalogue import SCENARIOS, Scenario
from privcam_audit.scenarios.scenario_perception import ModelPerception, ScenarioPerception
from privcam_audit.scenarios.scenario_report import Outcome
from privcam_audit.scenarios.scenario_run import STILLNESS_S, Edge, FilmRun, WorstFrame, run_film
from privcam_core.inline_executor import InlineExecutor
from privcam_core.storage import private_folder
from privcam_core.storage_key import KEY_BYTES, StorageKey
from privcam_evaluation.shared_models import SharedInspector, SharedModels
from privcam_privacy.background.engine_settings import EngineSettings
from privcam_privacy.eraser import Eraser
from privcam_privacy.evidence.approved_background import ApprovedState
from privcam_privacy.evidence.cell_evidence import Evidence
from privcam_privacy.evidence.explained_boxes import find_likenesses
from privcam_privacy.state.background_state import BackgroundStateStore

EVIDENCE: tuple[Evidence, ...] = get_args(Evidence)
# For comparison: the frame minus the masks, which leaks.
BASELINE = "mask_only"
_SEED = 7

Say = Callable[[str], None]
# Makes the edge of a scenario: clip, scenario, kind of evidence, folder of its state.
MakeEdge = Callable[[ClipFrames, Scenario, str, Path], Edge]


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


def make_edge(
    clip: ClipFrames,
    scenario: Scenario,
    kind: str,
    folder: Path,
    *,
    models: SharedModels,
    inspectors: Mapping[str, SharedInspector],
    threads: int = 1,
) -> Edge:
    """Return the edge with its default settings and one kind of evidence."""
    if kind == BASELINE:
        return Eraser("mask_only", random_bytes=seeded(SEED), threads=threads)
    key = StorageKey(bytes(KEY_BYTES), private_folder(folder / "keys"))
    settings = EngineSettings(
        evidence=next(evidence for evidence in EVIDENCE if evidence == kind),
        stillness_s=STILLNESS_S,
        mask_zones=scenario.mask_zones(clip),
    )
    approved = [
        find_likenesses(ApprovedState(f"state_{number}", room(clip), clip.known), models.detect)
        for number, room in enumerate(scenario.rooms if kind == "commissioned" else ())
    ]
    return Eraser(
        "adaptive",
        settings,
        approved=approved,
        random_bytes=seeded(SEED),
        state=BackgroundStateStore(folder, clip.name, key, InlineExecutor()),
        inspector=inspectors[kind],
        threads=threads,
    )


def audit_scenarios(paths: Sequence[Path], options: ScenarioOptions, say: Say) -> Iterator[list[Outcome]]:
    """Yield the outcomes of one scenario of one clip after another. A clip without people is left out, and said so.

    Raises SourceError for a clip that cannot be read.
    """
    models = SharedModels(options.threads)
    inspectors = {kind: models.inspector() for kind in options.evidence if kind != BASELINE}
    make = partial(make_edge, models=models, inspectors=inspectors, threads=options.threads)
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
        perception = ModelPerception(models, options.threads)
        for name in scenarios:
            yield run_scenario(clip, SCENARIOS[name], options, perception, make, say)
        say(f"{clip.name}: until now {models.summary}")


def run_scenario(
    clip: ClipFrames,
    scenario: Scenario,
    options: ScenarioOptions,
    perception: ScenarioPerception,
    make: MakeEdge,
    say: Say,
) -> list[Outcome]:
    """Return the outcomes of one scenario of one clip. All kinds of evidence see the film at the same time."""
    began = time.monotonic()
    with ExitStack() as stack:
        runs = {}
        for kind in options.evidence:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="privcam-scenario-")))
            start = partial(make, clip, scenario, kind)
            runs[kind] = FilmRun(start, folder, clip.known, counterfactual=options.counterfactual)
        frames = run_film(scenario.film(clip, np.random.default_rng(_SEED)), perception, list(runs.values()))
    outcomes = [Outcome(clip.name, scenario.name, kind, run.leak) for kind, run in runs.items()]
    for kind, run in runs.items():
        if run.worst is not None:
            _write_worst(run.worst, options.out / f"worst_{clip.name}_{scenario.name}_{kind}.png")
    parts = ", ".join(
        f"{o.evidence} {'-' if o.leak.fraction is None else f'{o.leak.fraction:.1e}'} of people,"
        f" {o.leak.confirmed_end:.0%} shown"
        for o in outcomes
    )
    say(f"{clip.name}, {scenario.name}: {frames} frames in {time.monotonic() - began:.0f} s: {parts}")
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
