"""`./privcam bench`: speed, cost of a frame, bits, cameras of one core, link outages, recovery; bench.json, figures."""

import argparse
import json
import os
import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from privcam_bringup.demo_clip import ClipError, demo_clip
from privcam_core.output_folder import output_folder
from privcam_evaluation import provenance
from privcam_evaluation.bench.bench_figures import (
    bits_figure,
    cameras_figure,
    frame_cost_figure,
    fuzzing_figure,
    gateway_figure,
    hostile_figure,
    recovery_figure,
    speed_figure,
)
from privcam_evaluation.bench.bitrate import measure_bits
from privcam_evaluation.bench.cloud_load import measure_cameras
from privcam_evaluation.bench.costs.frame_cost import RATE_HZ, measure_frame_cost
from privcam_evaluation.bench.costs.gateway_cost import measure_gateway
from privcam_evaluation.bench.device import device_figure, measure_device
from privcam_evaluation.bench.harness import use_test_harness
from privcam_evaluation.bench.hostile_load import HONEST_PEOPLE, measure_hostile
from privcam_evaluation.bench.omega_replay import record
from privcam_evaluation.bench.speed import measure_speed

# Seconds of Ω that are recorded, to be replayed as many cameras.
RECORDED_S = 10.0


class BenchError(Exception):
    """A part cannot be measured on this machine. The message says why."""


@dataclass(frozen=True)
class Measurement:
    """The result of one part. values: merged into bench.json. draw: draws the figure; None where there is none."""

    values: dict[str, Any]
    draw: Callable[[], None] | None = None


BenchPart = Callable[[Path, argparse.Namespace, Path], Measurement]


def main(argv: Sequence[str]) -> int:
    """Measure the parts that were asked for. Return 0, or 1 if a part could not be measured or a figure not drawn."""
    parser = _parser()
    options = parser.parse_args(argv)
    alone = [name for name, is_set in (("cameras", options.cameras), ("device", options.device)) if is_set]
    chosen = options.only.split(",") if options.only else alone or list(DEFAULT)
    unknown = sorted(set(chosen) - set(PARTS))
    if unknown:
        parser.error(f"--only {','.join(unknown)}: there are {', '.join(PARTS)}")
    try:
        source = _source(chosen, options)
    except (ClipError, BenchError) as error:
        say(str(error))
        return 1
    out: Path = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    return measure(chosen, source, options, out, ["privcam", "bench", *argv])


def _source(chosen: Sequence[str], options: argparse.Namespace) -> Path:
    """Return the clip that the chosen parts are measured on; it is fetched only if one of them needs it."""
    source = Path(options.source).absolute() if options.source else None
    if source is not None and not source.is_file():
        raise BenchError(f"--source {source}: no such file")
    if source is None and set(chosen) <= WITHOUT_CLIP:
        return Path()
    return source or demo_clip(say)


def measure(chosen: Sequence[str], source: Path, options: argparse.Namespace, out: Path, command: Sequence[str]) -> int:
    """Measure parts one after the other into `out`/bench.json; return the exit code.

    Each result is in the file before the next part starts and before its figure is drawn, so that neither can lose it.
    Parts of earlier runs stay in the file; `made` has one entry for each part.
    """
    file = out / "bench.json"
    result: dict[str, Any] = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    failed = False
    for name in chosen:
        made = provenance.made(command)
        try:
            measurement = PARTS[name](source, options, out)
        except BenchError as error:
            say(str(error))
            return 1
        result.update(measurement.values)
        result["cores"] = os.cpu_count()
        result.setdefault("made", {})[name] = made
        partial_file = file.with_suffix(".json.part")
        partial_file.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
        partial_file.replace(file)
        if measurement.draw is not None:
            failed |= not _draw(name, measurement.draw)
    say(f"results: {file}, figures beside")
    return 1 if failed else 0


def _draw(name: str, draw: Callable[[], None]) -> bool:
    """Draw one figure; return whether it is there. The numbers are already written, so any fault costs only itself."""
    try:
        draw()
    except Exception as error:
        say(f"{name}: the figure could not be drawn ({type(error).__name__}: {error}); the numbers are in bench.json")
        return False
    return True


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="privcam bench", description=__doc__)
    parser.add_argument("--source", help="video file (default: the clip of the demo)")
    parser.add_argument("--only", help=f"parts to measure, of {','.join(PARTS)} (default {','.join(DEFAULT)})")
    parser.add_argument("--frames", type=int, default=250, help="speed: frames per measurement (default 250)")
    parser.add_argument("--composed", action="store_true", help="speed, recovery: with one process per side")
    parser.add_argument("--runs", type=int, default=1, help="recovery: kills of each, the longest counts (default 1)")
    parser.add_argument(
        "--seconds", type=float, default=60.0, help="bits: length of the looped clip; frame_cost: of each (default 60)"
    )
    parser.add_argument("--count", type=int, default=100_000, help="fuzzing: Ω offered to the gate (default 100000)")
    parser.add_argument(
        "--clips",
        nargs="+",
        type=Path,
        default=[],
        metavar="FILE",
        help="frame_cost: further clips, each a situation; gateway: of its rooms, in turn",
    )
    parser.add_argument("--rooms", type=int, default=4, help="gateway: rooms in one process (default 4)")
    parser.add_argument("--beside-load", action="store_true", help="gateway: beside a busy loop on each core")
    parser.add_argument("--cameras", type=int, metavar="N", help="cameras alone: how many one core of the cloud serves")
    parser.add_argument(
        "--device", action="store_true", help="device alone: the networks on each provider of this host"
    )
    parser.add_argument(
        "--outage-s", type=float, default=60.0, help="link_outage: how long the line is down (default 60)"
    )
    parser.add_argument("--out", type=output_folder, default=Path("out/bench"), help="folder for the results")
    return parser


def _measure_speed(source: Path, options: argparse.Namespace, out: Path) -> Measurement:
    values = measure_speed(source, options.frames, out, composed=options.composed, say=say)
    return Measurement(values, partial(speed_figure, values, out / "bench.png"))


def _measure_frame_cost(source: Path, options: argparse.Namespace, out: Path) -> Measurement:
    _require_clips(options)
    say(f"frame_cost: {options.seconds:.0f} s at {RATE_HZ:.0f} frames/s, by need and with everything in every frame")
    cost = measure_frame_cost([source, *options.clips], options.seconds, say)
    return Measurement({"frame_cost": cost}, partial(frame_cost_figure, cost, out / "frame_cost.png"))


def _measure_gateway(source: Path, options: argparse.Namespace, out: Path) -> Measurement:
    _require_clips(options)
    if options.rooms < 1:
        raise BenchError(f"gateway: --rooms {options.rooms} is less than 1")
    clips = options.clips or [source]
    gateway = measure_gateway(clips, options.rooms, out, say, beside_load=options.beside_load)
    return Measurement({"gateway": gateway}, partial(gateway_figure, gateway, out / "gateway.png"))


def _require_clips(options: argparse.Namespace) -> None:
    missing = [str(clip) for clip in options.clips if not clip.is_file()]
    if missing:
        raise BenchError(f"--clips {', '.join(missing)}: no such file")


def _measure_device(_source: Path, _options: argparse.Namespace, out: Path) -> Measurement:
    say("device: every network of the edge on each provider of the installed runtime")
    device = measure_device(say)
    return Measurement({"device": device}, partial(device_figure, device, out / "device.png"))


def _measure_bits(source: Path, options: argparse.Namespace, out: Path) -> Measurement:
    say(f"bits: Ω and x264, {options.seconds:.0f} s of the looped clip")
    bits = measure_bits(source, options.seconds, say)
    values = {"omega_over_x264": bits["omega_over_x264"], "bits": bits}
    return Measurement(values, partial(bits_figure, bits, out / "bits.png"))


def _measure_cameras(source: Path, options: argparse.Namespace, out: Path) -> Measurement:
    say(f"cameras: recording {RECORDED_S:.0f} s of Ω, then replaying them as more and more cameras")
    recorded = record(source, RECORDED_S, out / "cameras.omegas", say)
    cameras = measure_cameras(options.cameras or 12, recorded, out, say)
    values = {"cameras_per_core": cameras["cameras_per_core"], "cameras": cameras}
    return Measurement(values, partial(cameras_figure, cameras, out / "cameras.png"))


def _measure_hostile_camera(source: Path, _options: argparse.Namespace, out: Path) -> Measurement:
    say(f"hostile_camera: recording {RECORDED_S:.0f} s of Ω, then attacking the cloud of the cameras that replay them")
    # What an attack costs is seen where the cloud keeps up without it.
    recorded = record(source, RECORDED_S, out / "cameras.omegas", say, people=HONEST_PEOPLE)
    hostile = measure_hostile(recorded, out, say)
    return Measurement({"hostile_camera": hostile}, partial(hostile_figure, hostile, out / "hostile_camera.png"))


def _measure_fuzzing(_source: Path, options: argparse.Namespace, out: Path) -> Measurement:
    say(f"fuzzing: {options.count} malformed Ω for the gate, about as many for the cloud")
    use_test_harness()
    from fuzzing.fuzzing_measurement import measure_fuzzing

    fuzzing = measure_fuzzing(options.count, out, say)
    return Measurement({"fuzzing": fuzzing}, partial(fuzzing_figure, fuzzing, out / "fuzzing.png"))


def _measure_recovery(source: Path, options: argparse.Namespace, out: Path) -> Measurement:
    say(f"recovery: kill -9 of every node and of both sides, {options.runs} times each")
    # Launchers run in sessions of their own: a SIGTERM to this process must end them too.
    signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    use_test_harness()
    from harness.recovery_measurement import measure_recovery

    recovery = measure_recovery(source, out / "recovery", composed=options.composed, runs=options.runs)
    values = {"recovery_composed" if options.composed else "recovery": recovery}
    return Measurement(values, partial(recovery_figure, recovery, out / "recovery.png"))


def _measure_link_outage(_source: Path, options: argparse.Namespace, _out: Path) -> Measurement:
    use_test_harness()
    from link_testbed.network_namespaces import unavailable
    from link_testbed.outage_measurement import measure_outages

    reason = unavailable()
    if reason:
        raise BenchError(f"link_outage: {reason}")
    say(f"link_outage: the line down for {options.outage_s:.0f} s, in three scenarios")
    return Measurement({"link_outage": measure_outages(options.outage_s, say)})


PARTS: dict[str, BenchPart] = {
    "speed": _measure_speed,
    "frame_cost": _measure_frame_cost,
    "gateway": _measure_gateway,
    "device": _measure_device,
    "bits": _measure_bits,
    "cameras": _measure_cameras,
    "hostile_camera": _measure_hostile_camera,
    "fuzzing": _measure_fuzzing,
    "recovery": _measure_recovery,
    "link_outage": _measure_link_outage,
}
WITHOUT_CLIP = frozenset({"device", "fuzzing", "link_outage"})
DEFAULT = ("speed", "frame_cost", "bits", "cameras")


def say(text: str) -> None:
    """Print progress."""
    print(f"[bench] {text}", file=sys.stderr, flush=True)
