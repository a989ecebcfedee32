"""`./privcam bench`: speed, bits, cameras of one core, outages, recovery. Writes bench.json and figures."""

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from privcam_evaluation.bench.bench_figures import (
    bits_figure,
    cameras_figure,
    hostile_figure,
    recovery_figure,
    speed_figure,
)
from privcam_evaluation.bench.bitrate import measure_bits
from privcam_evaluation.bench.cloud_load import measure_cameras
from privcam_evaluation.bench.harness import use_test_harness
from privcam_evaluation.bench.omega_replay import record
from privcam_evaluation.bench.recovery import measure_recovery
from privcam_evaluation.bench.speed import measure_speed
from privcam_evaluation.demo_clip import ClipError, demo_clip

# Seconds of Ω that are recorded to be replayed as many cameras.
RECORDED_S = 10.0


class BenchError(Exception):
    """A part cannot be measured here. The message says why."""


Part = Callable[[Path, argparse.Namespace, Path], dict[str, Any]]


def main(argv: Sequence[str]) -> int:
    """Run the parts that were asked for; return the exit code."""
    parser = argparse.ArgumentParser(prog="privcam bench", description=__doc__)
    parser.add_argument("--source", help="video file (default: the clip of the demo)")
    parser.add_argument("--only", help=f"parts to measure, of {','.join(PARTS)} (default {','.join(DEFAULT)})")
    parser.add_argument("--frames", type=int, default=250, help="speed: frames per measurement (default 250)")
    parser.add_argument("--composed", action="store_true", help="speed, recovery: with one process per side")
    parser.add_argument("--runs", type=int, default=1, help="recovery: kills of each, the longest counts (default 1)")
    parser.add_argument("--seconds", type=float, default=60.0, help="bits: length of the looped clip (default 60)")
    parser.add_argument("--count", type=int, default=100_000, help="hostile: how many for the gate (default 100000)")
    parser.add_argument("--cameras", type=int, metavar="N", help="cameras alone: how many one core of the cloud serves")
    parser.add_argument("--outage-s", type=float, default=60.0, help="outage: how long the line is down (default 60)")
    parser.add_argument("--out", type=Path, default=Path("out/bench"), help="folder for the results")
    options = parser.parse_args(argv)
    chosen = options.only.split(",") if options.only else (["cameras"] if options.cameras else list(DEFAULT))
    unknown = sorted(set(chosen) - set(PARTS))
    if unknown:
        parser.error(f"--only {','.join(unknown)}: there are {', '.join(PARTS)}")
    try:
        source = Path(options.source).absolute() if options.source else demo_clip(say)
    except ClipError as error:
        say(str(error))
        return 1
    if not source.is_file():
        say(f"--source {source}: no such file")
        return 1
    out: Path = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    file = out / "bench.json"
    # Parts that were measured before stay: together they take longer than anybody likes to wait.
    result: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    for name in chosen:
        try:
            result.update(PARTS[name](source, options, out))
        except BenchError as error:
            say(str(error))
            return 1
        result["cores"] = os.cpu_count()
        file.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    say(f"results: {file}, figures beside")
    return 0


def _speed(source: Path, options: argparse.Namespace, out: Path) -> dict[str, Any]:
    found = measure_speed(source, options.frames, out, composed=options.composed, say=say)
    speed_figure(found, out / "bench.png")
    return found


def _bits(source: Path, options: argparse.Namespace, out: Path) -> dict[str, Any]:
    say(f"bits: Ω and x264, {options.seconds:.0f} s of the looped clip")
    found = measure_bits(source, options.seconds, say)
    bits_figure(found, out / "bits.png")
    return {"omega_over_x264": found["omega_over_x264"], "bits": found}


def _cameras(source: Path, options: argparse.Namespace, out: Path) -> dict[str, Any]:
    say(f"cameras: recording {RECORDED_S:.0f} s of Ω, then replaying them as more and more cameras")
    recorded = record(source, RECORDED_S, out / "cameras.omegas", say)
    found = measure_cameras(options.cameras or 12, recorded, out, say)
    cameras_figure(found, out / "cameras.png")
    return {"cameras_per_core": found["cameras_per_core"], "cameras": found}


def _hostile(_source: Path, options: argparse.Namespace, out: Path) -> dict[str, Any]:
    say(f"hostile: {options.count} malformed or hostile Ω for the gate, as many for the cloud")
    use_test_harness()
    from fuzzing.fuzzing_measurement import measure_hostile

    found = measure_hostile(options.count, out, say)
    hostile_figure(found, out / "hostile.png")
    return {"hostile": found}


def _recovery(source: Path, options: argparse.Namespace, out: Path) -> dict[str, Any]:
    say(f"recovery: kill -9 of every node and of both sides, {options.runs} times each")
    # Launchers live in sessions of their own: whoever ends this with SIGTERM must not leave them behind.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    found = measure_recovery(source, out / "recovery", composed=options.composed, runs=options.runs)
    recovery_figure(found, out / "recovery.png")
    return {"recovery_composed" if options.composed else "recovery": found}


def _outage(_source: Path, options: argparse.Namespace, _out: Path) -> dict[str, Any]:
    use_test_harness()
    from link_testbed.network_namespaces import unavailable
    from link_testbed.outage_measurement import measure_outages

    reason = unavailable()
    if reason:
        raise BenchError(f"outage: {reason}")
    say(f"outage: the line down for {options.outage_s:.0f} s, in three scenarios")
    return {"outage": measure_outages(options.outage_s, say)}


PARTS: dict[str, Part] = {
    "speed": _speed,
    "bits": _bits,
    "cameras": _cameras,
    "hostile": _hostile,
    "recovery": _recovery,
    "outage": _outage,
}
DEFAULT = ("speed", "bits", "cameras")


def say(text: str) -> None:
    """Tell the user how it goes."""
    print(f"[bench] {text}", file=sys.stderr, flush=True)
