"""Fixtures of the system tests: the environment that every process of a graph needs, and the demo clip."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
# Against a demo that hangs. On two busy cores it takes about a minute.
DEMO_LIMIT_S = 600.0


def pytest_configure() -> None:
    """Give this process and its children the environment of a graph in a domain of its own."""
    from privcam_bringup.graph import free_domain
    from privcam_bringup.launching import graph_environment

    os.environ.update(graph_environment(free_domain()))
    # The state that a test leaves must not reach the next test or the user's own cameras.
    os.environ["PRIVCAM_STATE"] = tempfile.mkdtemp(prefix="privcam_test_state_")
    os.environ["PRIVCAM_KEYS"] = tempfile.mkdtemp(prefix="privcam_test_keys_")


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def clip() -> Path:
    from privcam_bringup.demo_clip import demo_clip

    return demo_clip(print)


@dataclass(frozen=True)
class DemoRun:
    """One run of the demo, as a user starts it. out: folder of its results. output: stdout and stderr."""

    exit_code: int
    out: Path
    output: str


@pytest.fixture(scope="session")
def run_demo(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., DemoRun]:
    from harness.edge_parameters import write_edge_parameters

    def run(*options: str) -> DemoRun:
        out = tmp_path_factory.mktemp("demo") / "results"
        parameters = write_edge_parameters(out.parent)
        command = [sys.executable, "-m", "privcam_cli", "demo", "--out", str(out), *options]
        command += ["--params-file", str(parameters)]
        # Into a file: a pipe would be held open by whatever the demo started and left behind.
        output = out.with_name("output.log")
        with output.open("w") as log:
            done = subprocess.run(
                command, cwd=root, stdout=log, stderr=subprocess.STDOUT, timeout=DEMO_LIMIT_S, check=False
            )
        return DemoRun(done.returncode, out, output.read_text(encoding="utf-8"))

    return run


@pytest.fixture(scope="session")
def demo(run_demo: Callable[..., DemoRun]) -> DemoRun:
    """Return one plain run of the demo on its own clip."""
    return run_demo("--seconds", "12")
