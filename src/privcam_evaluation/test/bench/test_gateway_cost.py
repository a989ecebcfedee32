"""Each room of a gateway has its own clip, and what it got is counted within the measurement alone."""

from pathlib import Path

import psutil
import pytest
import yaml

from privcam_evaluation.bench.bench_command import main
from privcam_evaluation.bench.bench_figures import gateway_figure
from privcam_evaluation.bench.cloud_load import CameraOutput
from privcam_evaluation.bench.costs.gateway_cost import busy_cores, parameters_of, summary


def test_every_room_loops_the_next_clip_beside_the_shipped_parameters() -> None:
    clips = [Path("/a 'b\".mp4"), Path("/c: d.mp4")]
    parameters = yaml.safe_load(parameters_of(["room1", "room2", "room3"], clips))
    sources = [parameters[f"/room{n}/camera"]["ros__parameters"]["source"] for n in (1, 2, 3)]
    assert sources == [str(clips[0]), str(clips[1]), str(clips[0])]
    assert parameters["/room3/eraser"]["ros__parameters"] == {"evidence": "transit"}
    assert "/**/detector" in parameters


def test_reports_outside_of_the_measurement_do_not_count(tmp_path: Path) -> None:
    busy = CameraOutput([(9.0, 5.0), *((10.0 + n / 10, 0.1) for n in range(20)), (12.5, 5.0)])
    rooms = summary({"room2": CameraOutput(), "room1": busy}, 10.0, 12.0)
    assert rooms == {
        "room1": {"omega_per_s": 10.0, "p50_ms": 100.0, "p95_ms": 100.0},
        "room2": {"omega_per_s": 0.0, "p50_ms": None, "p95_ms": None},
    }
    result = {"rooms": rooms, "rate_hz": 10.0, "edge_cores": 1.5, "overwritten": 0, "beside_load": True}
    gateway_figure(result, tmp_path / "gateway.png")
    assert (tmp_path / "gateway.png").stat().st_size > 0


def test_busy_loops_end_with_the_block() -> None:
    with busy_cores():
        loops = psutil.Process().children()
        assert loops
    assert not any(loop.is_running() for loop in loops)


def test_rooms_that_measure_nothing_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = tmp_path / "clip.avi"
    clip.touch()
    assert main(["--only", "gateway", "--source", str(clip), "--rooms", "0", "--out", str(tmp_path)]) == 1
    assert "--rooms 0 is less than 1" in capsys.readouterr().err
    missing = str(tmp_path / "missing.avi")
    assert main(["--only", "gateway", "--source", str(clip), "--clips", missing, "--out", str(tmp_path)]) == 1
    assert "missing.avi: no such file" in capsys.readouterr().err
