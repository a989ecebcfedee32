"""Figures of bench and survey."""

from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

BLUE, ORANGE, GREY = "#2b6cb0", "#dd6b20", "#a0aec0"


def bench_figure(result: dict[str, Any], path: Path) -> None:
    """Draw stages, throughput, load and bits of one bench run."""
    figure, ((stages, speed), (load, bits)) = plt.subplots(2, 2, figsize=(11, 7.5), layout="constrained")
    names = list(result["stages"])
    medians = [result["stages"][name]["median_ms"] for name in names]
    tails = [result["stages"][name]["p95_ms"] for name in names]
    stages.barh(names, tails, color=GREY, label="p95")
    stages.barh(names, medians, color=BLUE, label="median")
    stages.invert_yaxis()
    stages.set(title="time of each stage in one plain loop", xlabel="ms per frame")
    stages.legend()

    rates = [result["loop_frames_per_s"], result["frames_per_s"]]
    speed.margins(y=0.15)
    bars = speed.bar(["one plain loop", "graph of processes"], rates, color=[GREY, BLUE])
    speed.bar_label(bars, fmt="%.1f")
    latency = result["latency_ms"]
    speed.set(
        title=f"throughput: graph / loop = {result['graph_over_loop']}\n"
        f"latency at the clip's own rate: p50 {latency['p50']:.0f} ms, p95 {latency['p95']:.0f} ms",
        ylabel="frames per s",
    )

    nodes = [name for name, values in result["nodes"].items() if values]
    load.barh(nodes, [100 * result["nodes"][name]["cpu"] for name in nodes], color=BLUE)
    for row, name in enumerate(nodes):
        cpu, memory = result["nodes"][name]["cpu"], result["nodes"][name]["rss_mb"]
        load.text(100 * cpu, row, f"  {memory:.0f} MB", va="center", fontsize=8)
    load.invert_yaxis()
    load.margins(x=0.2)
    load.set(title="load of each process at the clip's own rate", xlabel="% of one core")

    rest = result["omega_bits_per_s_without_environment"] / 1e3
    environment = result["omega_bits_per_s"] / 1e3 - rest
    bits.bar(["Ω", "x264"], [rest, result["x264_bits_per_s"] / 1e3], color=[BLUE, GREY])
    bits.bar(["Ω"], [environment], bottom=[rest], color=ORANGE, label="environment")
    bits.margins(y=0.25)
    bits.legend(loc="upper right")
    bits.set(
        title=f"bits: Ω / x264 = {result['omega_over_x264']}\n{result['environment_pictures']} pictures in "
        f"{result['camera_seconds']:.0f} s, their bytes spread over 10 minutes",
        ylabel="kbit per s",
    )
    figure.suptitle(
        f"privcam bench: {result['source']}, {result['picture'][0]}x{result['picture'][1]}, {result['cores']} cores"
    )
    figure.savefig(path, dpi=110)
    plt.close(figure)


def survey_figure(curves: dict[str, list[tuple[float, float]]], path: Path) -> None:
    """Draw the confirmed share of the picture over camera time, one line per clip."""
    figure, axes = plt.subplots(figsize=(10, 5.5), layout="constrained")
    axes.set_prop_cycle(color=plt.get_cmap("tab20").colors[::2] + plt.get_cmap("tab20").colors[1::2])
    for name, curve in curves.items():
        if curve:
            axes.plot([s for s, _ in curve], [100 * share for _, share in curve], label=name)
    axes.set(
        title="share of the picture that was proven to be background",
        xlabel="s of camera time since the start",
        ylabel="% of the picture",
        ylim=(0, 102),
    )
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.savefig(path, dpi=110)
    plt.close(figure)
