"""Fixtures of the system tests: the environment that every process of a graph needs, and the demo clip."""

import os
import sys
from pathlib import Path

import pytest

# The helper `watching` beside this file: pytest's importlib mode does not put the folder of a test on the path.
sys.path.insert(0, str(Path(__file__).parent))

ROOT = Path(__file__).resolve().parents[1]


def pytest_configure() -> None:
    """Give this process, and so everything it starts, the environment of a graph in a domain of its own."""
    from privcam_cli.graph import free_domain
    from privcam_cli.launching import graph_environment

    os.environ.update(graph_environment(free_domain()))


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def clip() -> Path:
    from privcam_cli.clip import demo_clip

    return demo_clip(print)
