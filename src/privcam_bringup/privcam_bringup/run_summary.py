"""Summarises a run of the graph: JSON for programs and Markdown for people."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from privcam_bringup.graph_observer import Observations


def summarize(seen: Observations, camera_id: str) -> dict[str, Any]:
    """Return the numbers of one run. Times in s, latency in ms, areas as fractions of the picture."""
    edge, cloud = f"/{camera_id}", f"/{camera_id}/cloud"
    frames = seen.frames
    if not frames:
        return {"frames": 0}
    span_s = max(frames[-1].arrived_s - frames[0].arrived_s, 1e-9)
    latencies = 1e3 * np.array([f.arrived_s - f.stamp_s for f in frames])
    people = np.array([f.people for f in frames])
    sent = seen.latest(f"{edge}/bridge", "bytes_sent")
    camera_s = frames[-1].stamp_s - frames[0].stamp_s
    events: dict[str, int] = {}
    for event in seen.events.values():
        events[event.label] = events.get(event.label, 0) + 1
    return {
        "frames": len(frames),
        "seconds": round(span_s, 2),
        "camera_seconds": round(camera_s, 2),
        "frames_per_s": round((len(frames) - 1) / span_s, 2),
        "people": {
            "subjects": len(seen.subjects),
            "per_frame_mean": round(float(people.mean()), 2),
            "per_frame_max": int(people.max()),
        },
        "events": events,
        "omega_bytes": int(sent),
        "omega_bytes_per_s": round(sent / max(camera_s, 1e-9)),
        "environment_pictures": sum(f.picture for f in frames),
        "latency_ms": {
            "p50": round(float(np.percentile(latencies, 50)), 1),
            "p95": round(float(np.percentile(latencies, 95)), 1),
        },
        "skipped_frames": int(seen.latest(f"{edge}/camera", "skipped")),
        "dropped_frames": int(
            sum(seen.latest(name, "dropped") for name in seen.diagnostics if name.startswith(f"{edge}/"))
        ),
        "gate_rejected": int(seen.latest(f"{edge}/bridge", "rejected")),
        "cloud_rejected": int(seen.latest(f"{cloud}/cloud_bridge", "rejected")),
        "withheld_pixels_per_frame": round(float(np.mean([f.withheld_fraction * f.pixels for f in frames]))),
        "withheld_fraction": {
            "mean": round(float(np.mean([f.withheld_fraction for f in frames])), 4),
            "last": round(frames[-1].withheld_fraction, 4),
        },
        "confirmed_fraction": {
            "last": round(frames[-1].confirmed_fraction, 4),
            "after_s": confirmed_over_time(seen),
        },
    }


def confirmed_over_time(seen: Observations, at_s: tuple[float, ...] = (2, 5, 10, 20, 30)) -> dict[str, float]:
    """Return the confirmed fraction of the picture at some seconds of camera time after the first frame."""
    first = seen.frames[0].stamp_s
    last = seen.frames[-1].stamp_s - first
    fractions: dict[str, float] = {}
    for moment in at_s:
        before = [f.confirmed_fraction for f in seen.frames if f.stamp_s - first <= moment]
        if moment <= last:
            fractions[f"{moment:g}"] = round(before[-1], 4)
    return fractions


def write(figures: dict[str, Any], title: str, folder: Path, notes: str = "") -> None:
    """Write summary.json and summary.md into `folder`."""
    (folder / "summary.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
    lines = [f"# {title}", "", "| what | value |", "|---|---|"]
    lines += [f"| {name} | {value} |" for name, value in _flat(figures)]
    (folder / "summary.md").write_text("\n".join([*lines, "", notes]).rstrip() + "\n", encoding="utf-8")


def _flat(figures: dict[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = []
    for name, value in figures.items():
        label = f"{prefix}{name}".replace("_", " ")
        if isinstance(value, dict):
            rows += _flat(value, f"{label}, ") if value else [(label, "none")]
        else:
            rows.append((label, value))
    return rows
