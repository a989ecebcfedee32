"""Measures every network of the edge on each provider of the installed runtime, beside the CPU.

It needs no ROS, so that it runs on any machine with an accelerator: `python -m privcam_evaluation.bench.device`.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from privcam_core.models import Session, load
from privcam_core.models.providers import available_providers
from privcam_core.models.runtime import onnxruntime
from privcam_core.output_folder import output_folder
from privcam_evaluation import provenance
from privcam_evaluation.plotting import BLUE, GREY, ORANGE, plt

# The networks of the edge, by their names in the manifest.
NETWORKS = ("nanodet", "movenet_lightning", "movenet_thunder", "selfie", "face_full", "face_short")
# Each network runs for so long on each provider, s, and at least so often.
_SECONDS = 2.0
_MIN_CALLS = 10

Say = Callable[[str], None]


def measure_device(say: Say) -> dict[str, Any]:
    """Return, of each network and provider, the median time of a call and how far its results are from the CPU's.

    Wall time, because an accelerator takes no processor time: the machine should be idle.
    """
    providers = available_providers()
    if providers == ["cpu"]:
        say("this ONNX Runtime has no other provider than the CPU: install onnxruntime-gpu, or that of the accelerator")
    networks: dict[str, dict[str, Any]] = {}
    for network in NETWORKS:
        networks[network] = {}
        expected: list[Any] = []
        for provider in ["cpu", *(name for name in providers if name != "cpu")]:
            started = time.perf_counter()
            session = load(network, providers=[provider])
            loaded_s = time.perf_counter() - started
            picture = np.random.default_rng(0).integers(0, 256, (*session.entry.input.size, 3), np.uint8)
            outputs = session.run_picture(picture)
            expected = expected or outputs
            row = {
                "runs_on": session.provider,
                "load_s": round(loaded_s, 2),
                "median_ms": round(1e3 * _median_call_s(session, picture), 3),
                "max_difference": max(map(_difference, outputs, expected)),
            }
            networks[network][provider] = row
            row["times_cpu"] = round(networks[network]["cpu"]["median_ms"] / row["median_ms"], 2)
            say(f"{network} on {provider}: {describe(row)}")
    return {
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "runtime": onnxruntime.__version__,
        "providers": providers,
        "networks": networks,
    }


def describe(row: dict[str, Any]) -> str:
    """Return the measurement of a network on a provider in one line."""
    return (
        f"{row['median_ms']} ms a call, {row['times_cpu']} times as fast as the CPU; ran on {row['runs_on']}, "
        f"loaded in {row['load_s']} s; results differ by at most {row['max_difference']:.2g}"
    )


def _median_call_s(session: Session, picture: Any) -> float:
    calls: list[float] = []
    end = time.perf_counter() + _SECONDS
    while len(calls) < _MIN_CALLS or time.perf_counter() < end:
        started = time.perf_counter()
        session.run_picture(picture)
        calls.append(time.perf_counter() - started)
    return statistics.median(calls)


def _difference(found: Any, expected: Any) -> float:
    return float(np.abs(np.asarray(found, np.float64) - expected).max()) if np.size(expected) else 0.0


def device_figure(result: dict[str, Any], path: Path) -> None:
    """Draw the time of a call of each network on each provider."""
    names, colours = list(result["networks"]), (GREY, BLUE, ORANGE, "C4")
    providers = list(result["networks"][names[0]])
    figure, axes = plt.subplots(figsize=(9, 1.2 + 0.5 * len(names)), layout="constrained")
    height, places = 0.8 / len(providers), np.arange(len(names))
    for number, (provider, colour) in enumerate(zip(providers, colours, strict=False)):
        times = [result["networks"][name][provider]["median_ms"] for name in names]
        rows = axes.barh(places + number * height, times, height, color=colour, label=provider)
        axes.bar_label(rows, fmt="%.1f", padding=3, fontsize=8)
    axes.set_yticks(places + 0.4 - height / 2, names)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set(title=f"networks of the edge, ONNX Runtime {result['runtime']}, {result['machine']}", xlabel="ms a call")
    axes.legend()
    figure.savefig(path, dpi=110)
    plt.close(figure)


def main(argv: Sequence[str]) -> int:
    """Measure, write device.json and device.png, and return 0."""
    parser = argparse.ArgumentParser(prog="python -m privcam_evaluation.bench.device", description=__doc__)
    parser.add_argument("--out", type=output_folder, default=Path("out/device"), help="folder for the results")
    options = parser.parse_args(argv)
    options.out.mkdir(parents=True, exist_ok=True)
    result = measure_device(lambda text: print(f"[device] {text}", file=sys.stderr, flush=True))
    result["made"] = provenance.made(["python", "-m", "privcam_evaluation.bench.device", *argv])
    (options.out / "device.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    device_figure(result, options.out / "device.png")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
