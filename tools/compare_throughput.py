"""Compares the throughput of the graph in checkouts of this project, side by side in one run.

    python -m compare_throughput CLIP CHECKOUT CHECKOUT [CHECKOUT...] [--rounds N] [--frames N]

Every checkout has been set up with its own `./privcam test --only ruff`. They take turns on the clip, each round in
another order, since a machine that others use is slower for some minutes. What is printed are medians over the rounds,
and their ratio to the first checkout.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

# Both run inside of the checkout that is measured: its own set-up starts the harness of its own revision.
_START = """
import os, sys
from pathlib import Path
sys.path.insert(0, "src/privcam_cli")
from privcam_cli.bootstrap.setup_environment import command_line
argv, environment = command_line(Path.cwd(), sys.argv[1:], sourced=False)
os.execve(argv[0], argv, environment)
"""
_MEASURE = """
import json, sys
from pathlib import Path
from privcam_evaluation.bench.speed import measure_graph
clip, frames, out = sys.argv[1:]
print(json.dumps(measure_graph(Path(clip), int(frames), Path(out), lossless=True, composed=False)))
"""


@dataclass(frozen=True)
class Turn:
    """One run of a graph. frames_per_s: of Ω in the cloud. cpu_s: processor seconds of all its nodes for an Ω."""

    frames_per_s: float
    cpu_s: float


def run(checkout: Path, clip: Path, frames: int) -> Turn:
    """Run the graph of a checkout once, as fast as it goes. Raises RuntimeError with what it printed if it failed."""
    with tempfile.TemporaryDirectory(prefix="privcam_throughput_") as out:
        argv = [sys.executable, "-c", _START, "-c", _MEASURE, str(clip), str(frames), out]
        done = subprocess.run(argv, cwd=checkout, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"the graph of {checkout} did not run:\n{done.stderr.strip()}")
    values = json.loads(done.stdout.splitlines()[-1])
    cores = sum(node.get("cpu", 0.0) for node in values["nodes"].values())
    return Turn(values["frames_per_s"], cores / values["frames_per_s"])


def table(turns: Mapping[Path, Sequence[Turn]]) -> list[str]:
    """Return a line for each checkout: its medians, their ratios to the first one, and every run."""
    first = next(iter(turns.values()))
    base_rate, base_cpu = median(turn.frames_per_s for turn in first), median(turn.cpu_s for turn in first)
    lines = []
    for checkout, its in turns.items():
        rate, cpu = median(turn.frames_per_s for turn in its), median(turn.cpu_s for turn in its)
        runs = ", ".join(f"{turn.frames_per_s:.2f}" for turn in its)
        lines.append(
            f"{checkout}: {rate:.2f} frames/s ({rate / base_rate:.3f} of the first), {1e3 * cpu:.0f} ms of processor "
            f"time for a frame ({cpu / base_cpu:.3f}); runs: {runs}"
        )
    return lines


def main(arguments: Sequence[str] | None = None) -> None:
    """Print every run, then the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path)
    parser.add_argument("checkouts", type=Path, nargs="+", metavar="CHECKOUT")
    parser.add_argument("--rounds", type=int, default=5, metavar="N", help="runs of each checkout")
    parser.add_argument("--frames", type=int, default=200, metavar="N", help="frames of a run, after its warm-up")
    options = parser.parse_args(arguments)
    missing = [str(path) for path in (options.clip, *options.checkouts) if not path.exists()]
    if missing or len(options.checkouts) < 2 or min(options.rounds, options.frames) < 1:
        parser.error(f"not there: {missing}" if missing else "two checkouts, and one round and frame, are the least")
    checkouts = [path.resolve() for path in options.checkouts]
    turns: dict[Path, list[Turn]] = {checkout: [] for checkout in checkouts}
    for number in range(options.rounds):
        # What ran first has the next turn last.
        for checkout in checkouts[number % len(checkouts) :] + checkouts[: number % len(checkouts)]:
            turns[checkout].append(run(checkout, options.clip.resolve(), options.frames))
            print(f"round {number + 1}, {checkout}: {turns[checkout][-1].frames_per_s:.2f} frames/s", file=sys.stderr)
    print("\n".join(table(turns)))


if __name__ == "__main__":
    main()
