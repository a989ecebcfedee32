"""`./privcam survey CLIP...`: runs the real graph over many clips and writes a table and a figure of the results."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

from privcam_bringup import run_summary
from privcam_bringup.graph import START_TIMEOUT_S, Graph, free_domain, free_endpoint
from privcam_bringup.graph_observer import Observer
from privcam_bringup.launching.argument_checks import UnusableArgument, require_usable
from privcam_core.output_folder import output_folder

CAMERA_ID = "survey"
# Columns of the table: heading, path of the value in a clip's summary.
COLUMNS = (
    ("frames", ("frames",)),
    ("frames/s", ("frames_per_s",)),
    ("people per frame", ("people", "per_frame_mean")),
    ("subjects", ("people", "subjects")),
    ("confirmed after 2 s", ("confirmed_fraction", "after_s", "2")),
    ("5 s", ("confirmed_fraction", "after_s", "5")),
    ("10 s", ("confirmed_fraction", "after_s", "10")),
    ("30 s", ("confirmed_fraction", "after_s", "30")),
    ("at the end", ("confirmed_fraction", "last")),
    ("Ω bytes/s", ("omega_bytes_per_s",)),
    ("pictures", ("environment_pictures",)),
    ("dropped", ("dropped_frames",)),
    ("events", ("events",)),
)


def main(argv: Sequence[str]) -> int:
    """Run all clips; return 0 if every one gave Ω, and none was lost on the way."""
    parser = argparse.ArgumentParser(prog="privcam survey", description=__doc__)
    parser.add_argument("clips", nargs="+", type=Path, help="video files, or folders of them")
    parser.add_argument("--seconds", type=float, default=120.0, help="longest time to spend on a clip, in s")
    parser.add_argument("--out", type=output_folder, default=Path("out/survey"), help="folder for the results")
    options = parser.parse_args(argv)
    clips = [clip for path in options.clips for clip in (sorted(path.glob("*.*")) if path.is_dir() else [path])]
    try:
        if not clips:
            raise UnusableArgument("there is no clip in these folders; give video files, or folders of them")
        for clip in clips:
            require_usable({"source": str(clip.absolute())})
    except UnusableArgument as error:
        print(f"[survey] {error}", file=sys.stderr)
        return 1
    out: Path = options.out.absolute()
    out.mkdir(parents=True, exist_ok=True)
    rows: dict[str, dict[str, Any]] = {}
    curves: dict[str, list[tuple[float, float]]] = {}
    for number, clip in enumerate(clips, start=1):
        print(f"[survey] {number}/{len(clips)} {clip.name}", file=sys.stderr, flush=True)
        rows[clip.name], curves[clip.name] = run(clip, options.seconds, out)
    (out / "survey.json").write_text(json.dumps(rows, indent=2) + "\n", encoding="utf-8")
    text = table(rows)
    (out / "survey.md").write_text(f"{text}\n", encoding="utf-8")
    survey_figure(curves, out / "survey.png")
    print(text)
    return 0 if all(row["frames"] and not row["failed"] for row in rows.values()) else 1


def run(clip: Path, seconds: float, out: Path) -> tuple[dict[str, Any], list[tuple[float, float]]]:
    """Return the summary of one clip, and (camera s, confirmed fraction) over time."""
    arguments = {
        "camera_id": CAMERA_ID,
        "source": str(clip.absolute()),
        "lossless": "true",
        "endpoint": free_endpoint(),
    }
    domain = free_domain()
    graph = Graph("demo", arguments, log=out / f"{clip.stem}.log", domain_id=domain)
    os.environ.update(graph.environment)
    with Observer(CAMERA_ID, domain) as observer, graph:
        observer.wait_for(lambda seen: bool(seen.frames) or not graph.running, START_TIMEOUT_S)
        graph.wait(seconds)
    if graph.exit_code:
        print(f"[survey] {clip.name}: the graph ended with an error:\n{graph.errors()}", file=sys.stderr, flush=True)
    frames = observer.seen.frames
    curve = [(frame.stamp_s - frames[0].stamp_s, frame.confirmed_fraction) for frame in frames]
    return {**run_summary.summarize(observer.seen, CAMERA_ID), "failed": bool(graph.exit_code)}, curve


def table(rows: dict[str, dict[str, Any]]) -> str:
    """Return the rows as a Markdown table."""
    heads = ["clip", *(head for head, _ in COLUMNS)]
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for clip, row in rows.items():
        cells = [_shown(_at(row, path)) for _, path in COLUMNS]
        lines.append("| " + " | ".join([clip, *cells]) + " |")
    return "\n".join(lines)


def _at(row: dict[str, Any], path: tuple[str, ...]) -> Any:
    value: Any = row
    for name in path:
        if not isinstance(value, dict) or name not in value:
            return None
        value = value[name]
    return value


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{count} {name}" for name, count in value.items()) or "none"
    return "–" if value is None else str(value)


def survey_figure(curves: dict[str, list[tuple[float, float]]], path: Path) -> None:
    """Draw the confirmed fraction of the picture over camera time, one line per clip."""
    figure, axes = plt.subplots(figsize=(10, 5.5), layout="constrained")
    axes.set_prop_cycle(color=[plt.get_cmap("tab20")(index) for index in range(20)])
    for name, curve in curves.items():
        if curve:
            axes.plot([s for s, _ in curve], [100 * fraction for _, fraction in curve], label=name)
    axes.set(
        title="fraction of the picture that is confirmed background",
        xlabel="s of camera time since the start",
        ylabel="% of the picture",
        ylim=(0, 102),
    )
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.savefig(path, dpi=110)
    plt.close(figure)
