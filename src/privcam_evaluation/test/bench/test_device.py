import json
from pathlib import Path

import pytest

from privcam_core.models.providers import available_providers
from privcam_evaluation.bench import device


def test_every_network_is_measured_on_every_provider_and_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(device, "_SECONDS", 0.0)
    assert device.main(["--out", str(tmp_path)]) == 0
    result = json.loads((tmp_path / "device.json").read_text())
    assert tuple(result["networks"]) == device.NETWORKS
    for rows in result["networks"].values():
        assert set(rows) == set(available_providers())
        cpu = rows["cpu"]
        assert cpu["runs_on"] == "cpu" and cpu["times_cpu"] == 1 and cpu["median_ms"] > 0
        # The same network on the same pixels gives the same result.
        assert cpu["max_difference"] == 0
    assert (tmp_path / "device.png").stat().st_size > 0
    assert "nanodet on cpu" in capsys.readouterr().err
