import logging
import os
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest

from privcam_core.models import ModelError, Session, load
from privcam_core.models.manifest import cache_folder, load_manifest
from privcam_core.models.providers import wanted_providers


def test_outputs_do_not_depend_on_the_number_of_threads() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    one, two = (load("selfie", threads=n).run_picture(picture)[0] for n in (1, 2))
    np.testing.assert_allclose(one, two, atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(320, 416), (288, 480), (64, 32)])
def test_detector_takes_every_multiple_of_32(height: int, width: int) -> None:
    outputs = load("nanodet").run_picture(np.zeros((height, width, 3), np.uint8))
    cells = [height * width // stride**2 for stride in (8, 16, 32)]
    assert [output.shape for output in outputs] == [(1, n, 80) for n in cells] + [(1, n, 44) for n in cells]


def test_input_of_a_wrong_shape_or_type_is_refused_with_what_was_given() -> None:
    session = load("selfie")
    with pytest.raises(ValueError, match=r"model selfie: cannot run on float32 \(1, 3, 256, 256\)"):
        session.run(np.zeros((1, 3, 256, 256), np.float32))
    with pytest.raises(ValueError, match=r"cannot run on float64"):
        session.run(np.zeros((1, 256, 256, 3)))
    with pytest.raises(ValueError, match="needs 1 inputs, got 2"):
        session.run(np.zeros(1), np.zeros(1))


def test_unknown_provider_and_no_threads_are_refused() -> None:
    with pytest.raises(ValueError, match="abacus unknown; there are tensorrt, cuda, openvino, cpu"):
        load("selfie", providers=["abacus"])
    with pytest.raises(ValueError, match="threads: 0"):
        load("selfie", threads=0)


def test_provider_that_is_not_there_is_replaced_by_the_cpu_with_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        session = load("selfie", providers=["tensorrt"])
    assert session.run_picture(np.zeros((256, 256, 3), np.uint8))[0].shape == (1, 256, 256, 1)
    assert "tensorrt" in caplog.text.lower()


def test_bytes_that_are_no_model_are_refused() -> None:
    with pytest.raises(ModelError, match="model selfie: ONNX Runtime does not take it"):
        Session(load_manifest().entry("selfie"), b"nothing")


def test_running_a_model_leaves_no_trace_in_the_home_folder(tmp_path: Path) -> None:
    """The runtime writes a device id there before it sends telemetry."""
    environment = {k: v for k, v in os.environ.items() if k not in ("CI", "ORT_DISABLE_TELEMETRY", "XDG_CACHE_HOME")}
    environment |= {"HOME": str(tmp_path), "PRIVCAM_MODELS": str(cache_folder()), "PYTHONDONTWRITEBYTECODE": "1"}
    code = "from numpy import zeros; from privcam_core.models import load; load('selfie').run_picture({})"
    code = code.format("zeros((256, 256, 3), 'u1')")
    subprocess.run([sys.executable, "-c", code], env=environment, check=True)
    assert list(tmp_path.rglob("*")) == []


def test_whoever_loads_a_model_in_use_gets_the_same_session_and_the_memory_is_given_back() -> None:
    first = load("selfie")
    assert load("selfie") is first
    assert load("selfie", threads=2) is not first
    gone = weakref.ref(first)
    del first
    assert gone() is None


@pytest.mark.parametrize(
    ("named", "expected"), [("auto", []), ("", []), ("cpu", ["cpu"]), ("cuda, cpu", ["cuda", "cpu"])]
)
def test_environment_names_what_the_networks_run_on(
    monkeypatch: pytest.MonkeyPatch, named: str, expected: list[str]
) -> None:
    monkeypatch.setenv("PRIVCAM_PROVIDER", named)
    assert wanted_providers() == expected
    assert load("selfie").provider == "cpu"  # the only one that the pinned runtime has


def test_unknown_provider_in_the_environment_is_refused_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    held = load("selfie")
    monkeypatch.setenv("PRIVCAM_PROVIDER", "cpu")
    assert load("selfie") is not held  # it was loaded for another choice
    monkeypatch.setenv("PRIVCAM_PROVIDER", "gpu")
    with pytest.raises(ValueError, match="PRIVCAM_PROVIDER: gpu unknown; there are tensorrt"):
        load("selfie")
