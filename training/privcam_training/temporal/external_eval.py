"""What the temporal model says of people on whom it was not trained.

    PYTHONPATH=training python -m privcam_training.temporal.external_eval [FOLDER] [--weights FILE]

Falls of UP-Fall and what two do with each other in SBU, where FOLDER has `upfall` with `omnifall_labels`, and `sbu`;
and simulated people of other seeds than those of the training, of whom it is known what they do.
"""

import argparse
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from privcam_cloud.recognition.temporal.temporal_model import TemporalModel
from privcam_cloud.recognition.temporal.temporal_network import SUBJECT_WEIGHTS
from privcam_core.types.omega import Omega
from privcam_evaluation.recognition.event_matching import Seen, watch
from privcam_evaluation.recognition.scores import fights
from privcam_training.temporal.data import sbu, upfall
from privcam_training.temporal.data.skeleton_clips import Take, clip_of, omegas, sent
from privcam_training.temporal.simulation.simulator import PICTURE, SCRIPTS, Recording, record

# Simulated people of each kind, and the seed; the training takes other ones.
PEOPLE, SEED = 40, 1000


def watched(takes: Sequence[Take], weights: Path) -> list[Seen]:
    """Return what the model says of each sequence."""
    return [watch(take.clip, omegas(take), TemporalModel(weights=weights)) for take in takes]


def simulated_falls(weights: Path, people: int) -> dict[str, int]:
    """Return of how many of so many simulated people a fall is reported, by what they do."""
    random, result = np.random.default_rng(SEED), {}
    for name, script in SCRIPTS.items():
        recordings = [record(script(random), random) for _ in range(people)]
        clip = clip_of(name, name, "simulated", 1.0)
        seen = [watch(clip, _sent(recording), TemporalModel(weights=weights)) for recording in recordings]
        result[name] = sum(bool(one.falls) for one in seen)
    return result


def _sent(recording: Recording) -> list[Omega]:
    poses = [[] if pose is None else [pose] for pose in recording.poses]
    return sent(zip(recording.seconds.tolist(), poses, strict=True), PICTURE)


def main(argv: Sequence[str] | None = None) -> int:
    """Print what there is to say."""
    parser = argparse.ArgumentParser(prog="python -m privcam_training.temporal.external_eval", description=__doc__)
    parser.add_argument("folder", type=Path, nargs="?", help="folder of published skeletons")
    parser.add_argument("--weights", type=Path, default=SUBJECT_WEIGHTS, help="JSON file of a network")
    options = parser.parse_args(argv)
    if options.folder is not None:
        _print_falls(watched(upfall.read(options.folder), options.weights), upfall.count(options.folder))
        _print_pairs(watched(sbu.read(options.folder / "sbu"), options.weights))
    for name, fallen in simulated_falls(options.weights, PEOPLE).items():
        print(f"simulated, {name}: a fall is reported of {fallen} of {PEOPLE}")
    return 0


def _print_falls(seen: Sequence[Seen], files: int) -> None:
    missed = [one.clip.name for one in seen if one.hit is None]
    early = sum(one.false_alarms for one in seen)
    print(f"UP-Fall: {len(seen)} of {files} files show a fall from before until it is over")
    print(f"UP-Fall: {len(seen) - len(missed)} of {len(seen)} falls found, {early} other reports; missed: {missed}")


def _print_pairs(seen: Sequence[Seen]) -> None:
    reported: dict[str, list[bool]] = defaultdict(list)
    for one in seen:
        reported[one.clip.name.split("_", 2)[2].replace("_", " ")].append(one.fights)
    for action, fought in reported.items():
        print(f"SBU, {action}: a fight is reported in {sum(fought)} of {len(fought)}")
    falls = sum(len(one.falls) for one in seen)
    print(f"SBU: balanced accuracy of fights {fights(seen)['balanced_accuracy']}; {falls} falls reported")


if __name__ == "__main__":
    raise SystemExit(main())
