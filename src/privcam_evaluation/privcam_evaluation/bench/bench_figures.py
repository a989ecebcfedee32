"""Draws the figures of `./privcam bench` from the values of bench.json."""

from pathlib import Path
from typing import Any

import numpy as np

from privcam_evaluation.plotting import BLUE, GREY, ORANGE, plt


def speed_figure(result: dict[str, Any], path: Path) -> None:
    """Draw stages, throughput and load of one bench run."""
    figure, (stages, speed, load) = plt.subplots(1, 3, figsize=(15, 4.5), layout="constrained")
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
    columns = speed.bar(["one plain loop", "graph of processes"], rates, color=[GREY, BLUE])
    speed.bar_label(columns, fmt="%.1f")
    latency = result["latency_ms"]
    speed.set(
        title=f"throughput: graph / loop = {result['graph_over_loop']}\n"
        f"latency at the clip's own rate: p50 {latency['p50']:.0f} ms, p95 {latency['p95']:.0f} ms",
        ylabel="frames per s",
    )

    # A process that ended before its load was sampled has no `cpu`: its row stays, drawn as missing.
    nodes = result["nodes"]
    load.barh(list(nodes), [100 * values.get("cpu", 0.0) for values in nodes.values()], color=BLUE)
    for row, values in enumerate(nodes.values()):
        note = f"  {values['rss_mb']:.0f} MB" if "cpu" in values else "  no sample"
        load.text(100 * values.get("cpu", 0.0), row, note, va="center", fontsize=8)
    load.invert_yaxis()
    load.margins(x=0.2)
    load.set(title="load of each process at the clip's own rate", xlabel="% of one core")

    figure.suptitle(f"privcam bench: {result['source']}, {result['picture'][0]}x{result['picture'][1]}")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def frame_cost_figure(result: dict[str, Any], path: Path) -> None:
    """Draw the processor time of a frame by stage: by need, and beside it with everything in every frame."""
    rows = [
        (f"{name}\n{mode.replace('_', ' ')}", situation[mode])
        for name, situation in result["situations"].items()
        for mode in ("by_need", "every_frame")
    ]
    stages = list(rows[0][1]["stages_ms"])
    figure, axes = plt.subplots(figsize=(11, 1.5 + 0.6 * len(rows)), layout="constrained")
    left = [0.0] * len(rows)
    for number, stage in enumerate(stages):
        widths = [cost["stages_ms"].get(stage, 0.0) for _, cost in rows]
        axes.barh([name for name, _ in rows], widths, left=left, color=f"C{number}", label=stage)
        left = [a + b for a, b in zip(left, widths, strict=True)]
    rest = [max(0.0, cost["ms_per_frame"] - so_far) for (_, cost), so_far in zip(rows, left, strict=True)]
    axes.barh([name for name, _ in rows], rest, left=left, color=GREY, label="the rest")
    networks = [cost["network_ms_per_frame"] for _, cost in rows]
    axes.plot(networks, range(len(rows)), "|", color="black", markersize=14, markeredgewidth=2, label="its networks")
    for row, (_, cost) in enumerate(rows):
        axes.text(cost["ms_per_frame"], row, f"  {cost['ms_per_frame']:.0f} ms", va="center", fontsize=8)
    axes.invert_yaxis()
    axes.margins(x=0.1)
    axes.set(title=f"processor time of a frame at {result['rate_hz']:.0f} frames/s", xlabel="ms")
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def gateway_figure(result: dict[str, Any], path: Path) -> None:
    """Draw what each room of a gateway got: Ω a second beside what its camera delivers, and their age."""
    figure, (rates, ages) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
    rooms = result["rooms"]
    columns = rates.bar(list(rooms), [room["omega_per_s"] for room in rooms.values()], color=BLUE)
    rates.bar_label(columns, fmt="%.1f")
    rates.axhline(result["rate_hz"], color=GREY, linestyle="--")
    load = ", beside a busy loop on each core" if result["beside_load"] else ""
    rates.set(title=f"{result['edge_cores']} cores{load}", ylabel="Ω per s (dashed: what the camera delivers)")
    # Of a room without an Ω there is no age: its column is missing.
    ages.bar(list(rooms), [room["p95_ms"] or 0.0 for room in rooms.values()], color=GREY, label="p95")
    ages.bar(list(rooms), [room["p50_ms"] or 0.0 for room in rooms.values()], color=BLUE, label="median")
    ages.set(title=f"{result['overwritten']} frames lost for their age", ylabel="capture to report, ms")
    ages.legend()
    figure.suptitle(f"privcam bench: {len(rooms)} rooms in one gateway")
    figure.savefig(path, dpi=110)
    plt.close(figure)


def bits_figure(result: dict[str, Any], path: Path) -> None:
    """Draw the bits of Ω, pictures and all, beside those of the video."""
    figure, axes = plt.subplots(figsize=(6, 4.5), layout="constrained")
    rest, pictures = result["omega_bits_per_s"] / 1e3, result["environment_bits_per_s"] / 1e3
    axes.bar(["Ω", "x264"], [rest, result["x264_bits_per_s"] / 1e3], color=[BLUE, GREY])
    axes.bar(["Ω"], [pictures], bottom=[rest], color=ORANGE, label="environment pictures")
    axes.axhline(result["x264_bits_per_s"] / 1e4, color=GREY, linestyle=":", label="a tenth of x264")
    axes.legend()
    axes.set(
        title=f"Ω / x264 = {result['omega_over_x264']}: {result['source']}, {result['seconds']:.0f} s, "
        f"{result['people_per_frame']} people",
        ylabel="kbit per s",
    )
    figure.savefig(path, dpi=110)
    plt.close(figure)


def cameras_figure(result: dict[str, Any], path: Path) -> None:
    """Draw the load of one core and the latency over the number of cameras."""
    steps = result["steps"]
    counts = [step["cameras"] for step in steps]
    figure, (load, latency) = plt.subplots(1, 2, figsize=(11, 4.5), layout="constrained")
    load.plot(counts, [100 * step["cpu"] for step in steps], "o-", color=BLUE)
    load.axhline(100, color=GREY, linestyle=":")
    load.set(title="bridge, inference and contour in one process", xlabel="cameras", ylabel="% of one core")
    latency.plot(counts, [step["latency_p95_ms"] for step in steps], "o-", color=BLUE, label="p95")
    latency.plot(counts, [step["latency_p50_ms"] for step in steps], "o-", color=GREY, label="median")
    latency.set(title="from capture to report", xlabel="cameras", ylabel="ms", ylim=(0, None))
    latency.legend()
    figure.suptitle(
        f"one core keeps up with {result['cameras_per_core']} cameras at {result['rate_hz']:g} frames/s, "
        f"{result['people']} people each"
    )
    figure.savefig(path, dpi=110)
    plt.close(figure)


def hostile_figure(result: dict[str, Any], path: Path) -> None:
    """Draw the latency of the other cameras during each attack beside the rests around it."""
    phases = result["phases"]
    attacks = range(1, len(phases), 2)
    names = [phases[at]["attack"].replace("_", " ") for at in attacks]
    places = np.arange(len(names))
    figure, axes = plt.subplots(figsize=(9, 0.55 * len(names) + 2), layout="constrained")
    rests = [(phases[at - 1]["latency_p95_ms"] + phases[at + 1]["latency_p95_ms"]) / 2 for at in attacks]
    during = [phases[at]["latency_p95_ms"] for at in attacks]
    axes.barh(places - 0.2, rests, 0.4, color=GREY, label="rests before and after")
    axes.barh(places + 0.2, during, 0.4, color=BLUE, label="during the attack")
    limits = [rest + result["max_added_ms"] for rest in rests]
    axes.plot(limits, places + 0.2, "|", color=ORANGE, markersize=18, markeredgewidth=2, label="bar: rests + 50 ms")
    for place, at, end in zip(places, attacks, np.maximum(during, limits), strict=True):
        lost, taken, refused = (phases[at][name] for name in ("pictures_lost", "taken", "refused"))
        note = f"   {lost} pictures lost; {taken:,} of its Ω taken, {refused:,} refused"
        axes.text(float(end), float(place), note, va="center", fontsize=8)
    axes.set_yticks(places, names)
    axes.invert_yaxis()
    axes.set_xlim(0, 1.8 * max(*during, *limits))
    figure.legend(loc="outside lower center", ncols=3)
    axes.set(
        title=f"{result['cameras']} cameras of a cloud on one core while another camera attacks it",
        xlabel="from capture to report, 95th percentile, ms",
    )
    figure.savefig(path, dpi=110)
    plt.close(figure)


def fuzzing_figure(result: dict[str, Any], path: Path) -> None:
    """Draw why malformed Ω were refused, at the gate and in the cloud."""
    figure, ends = plt.subplots(1, 2, figsize=(11, 5), layout="constrained")
    for axes, end, colour in zip(ends, ("gate", "cloud"), (BLUE, ORANGE), strict=True):
        rejected = result[end]["rejected"]
        rows = axes.barh([reason.replace("_", " ") for reason in rejected], list(rejected.values()), color=colour)
        axes.bar_label(rows, fmt="{:,.0f}", padding=3, fontsize=9)
        axes.invert_yaxis()
        axes.margins(x=0.18)
        axes.set(xlabel="malformed Ω, by the reason of the refusal")
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.set_title(f"{end}: {result[end]['malformed']:,} malformed Ω, {result[end]['passed']} got through")
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def recovery_figure(result: dict[str, Any], path: Path) -> None:
    """Draw how long each node and each side was away after a kill -9, every time that was measured."""
    names = list(result["all_seconds"])
    figure, axes = plt.subplots(figsize=(7, 0.35 * len(names) + 1.5), layout="constrained")
    for row, name in enumerate(names):
        times = [value for value in result["all_seconds"][name] if value is not None]
        axes.plot(times, [row] * len(times), "o", color=ORANGE if name.startswith("whole") else BLUE)
    axes.axvline(result["limit_s"], color=GREY, linestyle=":")
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.set(
        title=f"back after kill -9: {'one process a side' if result['composed'] else 'one process a node'}",
        xlabel="s from the kill to the first result of something captured after it",
        xlim=(0, None),
    )
    figure.savefig(path, dpi=110)
    plt.close(figure)
