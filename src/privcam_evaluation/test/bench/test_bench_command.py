"""`./privcam bench` keeps every number that it measured, whatever happens to a figure or to a later part."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from privcam_bringup.demo_clip import ClipError
from privcam_evaluation.bench import bench_command
from privcam_evaluation.bench.bench_command import BenchError, Measurement, main
from privcam_evaluation.bench.bench_figures import speed_figure

STAGE = {"median_ms": 1.0, "p95_ms": 2.0}
SPEED: dict[str, Any] = {
    "source": "walk.avi",
    "picture": [64, 48],
    "stages": {"detector": STAGE},
    "loop_frames_per_s": 10.0,
    "frames_per_s": 12.0,
    "graph_over_loop": 1.2,
    "latency_ms": {"p50": 100.0, "p95": 150.0},
    "nodes": {"camera": {"cpu": 0.5, "rss_mb": 90.0}, "eraser": {"cpu": 0.2, "rss_mb": 80.0}},
}


def break_figure() -> None:
    raise KeyError("cpu")


def replace_parts(monkeypatch: pytest.MonkeyPatch, **measurements: Measurement | Exception) -> None:
    """Let the parts of the bench have these results, or raise these errors."""

    def part(result: Measurement | Exception) -> bench_command.BenchPart:
        def measure(_source: Path, _options: argparse.Namespace, _out: Path) -> Measurement:
            if isinstance(result, Exception):
                raise result
            return result

        return measure

    monkeypatch.setattr(bench_command, "PARTS", {name: part(result) for name, result in measurements.items()})


def bench(tmp_path: Path, *arguments: str) -> int:
    clip = tmp_path / "clip.avi"
    clip.touch()
    return main(["--source", str(clip), "--out", str(tmp_path / "out"), *arguments])


def results(tmp_path: Path) -> dict[str, Any]:
    return dict(json.loads((tmp_path / "out" / "bench.json").read_text(encoding="utf-8")))


def test_figure_that_fails_costs_only_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn: list[str] = []
    replace_parts(
        monkeypatch,
        speed=Measurement({"frames_per_s": 12.5}, break_figure),
        bits=Measurement({"bits": {"seconds": 3}}, lambda: drawn.append("bits")),
    )
    assert bench(tmp_path, "--only", "speed,bits") == 1
    assert results(tmp_path)["frames_per_s"] == 12.5
    assert results(tmp_path)["bits"] == {"seconds": 3}
    assert drawn == ["bits"]
    assert "speed: the figure could not be drawn (KeyError: 'cpu')" in capsys.readouterr().err


def test_figure_is_drawn_after_the_result_was_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[dict[str, Any]] = []
    replace_parts(monkeypatch, bits=Measurement({"bits": {}}, lambda: written.append(results(tmp_path))))
    assert bench(tmp_path, "--only", "bits") == 0
    assert "bits" in written[0]


def test_part_that_cannot_be_measured_leaves_the_results_before_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_parts(monkeypatch, bits=Measurement({"bits": {"seconds": 3}}), link_outage=BenchError("needs root"))
    assert bench(tmp_path, "--only", "bits,link_outage") == 1
    assert results(tmp_path)["bits"] == {"seconds": 3}


def test_each_part_says_how_it_was_made_and_parts_of_earlier_runs_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace_parts(monkeypatch, speed=Measurement({"frames_per_s": 1.0}), bits=Measurement({"bits": {}}))
    assert bench(tmp_path, "--only", "speed") == 0
    assert bench(tmp_path, "--only", "bits") == 0
    made = results(tmp_path)["made"]
    assert made.keys() == {"speed", "bits"}
    assert made["speed"]["command"].endswith("--only speed")
    assert results(tmp_path)["frames_per_s"] == 1.0


def test_node_without_a_load_sample_is_drawn_as_missing(tmp_path: Path) -> None:
    nodes = {**SPEED["nodes"], "gate": {"median_ms": 1.0}, "recorder": {}}
    speed_figure({**SPEED, "nodes": nodes}, tmp_path / "bench.png")
    assert (tmp_path / "bench.png").stat().st_size > 1000


def test_clip_is_fetched_only_for_a_part_that_needs_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_network(_say: object) -> Path:
        raise ClipError("no network")

    monkeypatch.setattr(bench_command, "demo_clip", no_network)
    replace_parts(monkeypatch, fuzzing=Measurement({"fuzzing": {}}), bits=Measurement({"bits": {}}))
    assert main(["--only", "fuzzing", "--out", str(tmp_path / "out")]) == 0
    assert main(["--only", "fuzzing,bits", "--out", str(tmp_path / "out")]) == 1
    assert "no network" in capsys.readouterr().err
