"""Evaluates the temporal model on people of other data sets and on newly simulated people.

    PYTHONPATH=training python -m privcam_training.temporal.external_eval [FOLDER] [--weights FILE]

Falls of UP-Fall and what two do with each other in SBU, where FOLDER has `upfall` with `omnifall_labels`, and `sbu`;
and simulated people of other seeds than those of the training, of whom it is known what they do.
"""

import argparse
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from privcam_core.types.omega import Omega
from privcam_evaluation.recognition.event_matching import ClipResult, match_events
from privcam_evaluation.recognition.scores import fights
from privcam_recognition.temporal.temporal_model import TemporalModel
from privcam_recognition.temporal.temporal_network import SUBJECT_WEIGHTS
from privcam_training.temporal.data import sbu, upfall
from privcam_training.temporal.data.skeleton_clips import SkeletonClip, clip_of, omegas, omegas_of_poses
from privcam_training.temporal.simulation.simulator import PICTURE, SCRIPTS, Recording, record

# Simulated people of each kind, and the seed; the training takes other ones.
PEOPLE, SEED = 40, 1000


def recognise(sequences: Sequence[SkeletonClip], weights: Path) -> list[ClipResult]:
    """Return the events of the model for each sequence."""
    return [match_events(sequence.clip, omegas(sequence), TemporalModel(weights=weights)) for sequence in sequences]


def simulated_falls(weights: Path, people: int) -> dict[str, int]:
    """Return of how many of so many simulated people a fall is reported, by what they do."""
    random, result = np.random.default_rng(SEED), {}
    for name, script in SCRIPTS.items():
        recordings = [record(script(random), random) for _ in range(people)]
        clip = clip_of(name, name, "simulated", 1.0)
        results = [match_events(clip, _omegas(recording), TemporalModel(weights=weights)) for recording in recordings]
        result[name] = sum(bool(one.falls) for one in results)
    return result


def _omegas(recording: Recording) -> list[Omega]:
    poses = [[] if pose is None else [pose] for pose in recording.poses]
    return omegas_of_poses(zip(recording.seconds.tolist(), poses, strict=True), PICTURE)


def main(argv: Sequence[str] | None = None) -> int:
    """Print the results."""
    parser = argparse.ArgumentParser(prog="python -m privcam_training.temporal.external_eval", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="folder of published skeletons")
    parser.add_argument("--weights", type=Path, default=SUBJECT_WEIGHTS, help="JSON file of a network")
    options = parser.parse_args(argv)
    if options.folder is not None:
        _print_falls(recognise(upfall.read(options.folder), options.weights), upfall.count(options.folder))
        _print_pairs(recognise(sbu.read(options.folder / "sbu"), options.weights))
    for name, fallen in simulated_falls(options.weights, PEOPLE).items():
        print(f"simulated, {name}: a fall is reported of {fallen} of {PEOPLE}")
    return 0


def _print_falls(results: Sequence[ClipResult], files: int) -> None:
    missed = [one.clip.name for one in results if one.hit is None]
    early = sum(one.false_alarms for one in results)
    print(f"UP-Fall: {len(results)} of {files} files show a fall from before until it is over")
    detected = len(results) - len(missed)
    print(f"UP-Fall: {detected} of {len(results)} falls detected, {early} other reports; missed: {missed}")


def _print_pairs(results: Sequence[ClipResult]) -> None:
    reported: dict[str, list[bool]] = defaultdict(list)
    for one in results:
        reported[one.clip.name.split("_", 2)[2].replace("_", " ")].append(one.fights)
    for action, fought in reported.items():
        print(f"SBU, {action}: a fight is reported in {sum(fought)} of {len(fought)}")
    falls = sum(len(one.falls) for one in results)
    print(f"SBU: balanced accuracy of fights {fights(results)['balanced_accuracy']}; {falls} falls reported")


if __name__ == "__main__":
    raise SystemExit(main())
