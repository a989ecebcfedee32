"""The reconstruction node as a process with the generative backend, and a real pipeline that is small and untrained."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from generative_scenes import scene, standing
from privcam_msgs.msg import Omega, Reconstruction

from harness.graph_probe import (
    HANG_LIMIT_S,
    GraphProbe,
    Program,
    probe_diagnostics,
    started,
    values,
    wait_for_status,
    wait_until,
)
from privcam_core.images.environment import encode_environment, environment_of
from privcam_core.types.omega import Embedding, PrivacyReport, Verdict
from privcam_core.types.omega import Omega as CoreOmega
from privcam_ros.conversions import omega_to_msg
from privcam_ros.node import STREAM

CONTOUR, NODE = "/cam/contour", "/cam/reconstruction"
PERIOD_S = 0.1


@contextmanager
def omegas(probe: GraphProbe) -> Iterator[None]:
    """Publish a room in which somebody stands, ten times a second, until the end of the block."""
    out = probe.node.create_publisher(Omega, "/cam/omega", STREAM)
    end = threading.Event()

    def publish() -> None:
        frame, first = 0, scene()
        png = encode_environment(first.environment, first.confirmed_mask)
        z = Embedding("hog-1", (1,), 0.5, b"\x01", 0.25, 1.0)
        while not end.wait(PERIOD_S):
            now = scene(standing(), seconds=frame * PERIOD_S)
            environment = environment_of(now.key, png, 1)
            report = PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS)
            out.publish(omega_to_msg(CoreOmega(now.key, environment, now.poses, z, report)))
            frame += 1

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


@contextmanager
def node(tmp_path: Path, **parameters: object) -> Iterator[Program]:
    log = tmp_path / "node.log"
    with started("privcam_cloud", "reconstruction_node", log, backend="generative", **parameters) as program:
        yield program


def displayed(probe: GraphProbe, backend: str) -> Any:
    """Wait for a picture of the backend and return the newest one."""
    return probe.wait_for(
        lambda s: next((m for m in reversed(s.messages(CONTOUR)[-3:]) if m.backend == backend), None), backend
    )


def test_node_shows_the_contour_first_and_generated_people_when_they_are_there(tmp_path: Path) -> None:
    tiny_diffusion = pytest.importorskip("tiny_diffusion", exc_type=ImportError)
    model = str(tiny_diffusion.write_tiny_pipeline(tmp_path / "tiny"))
    settings = {"generative_model": model, "generative_steps": 2, "generative_period_s": 0.5}
    with (
        probe_diagnostics((CONTOUR, Reconstruction)) as probe,
        node(tmp_path, generative_budget_s=HANG_LIMIT_S, **settings) as program,
        omegas(probe),
    ):
        first = displayed(probe, "contour")
        assert first.note == "the generative model is being loaded"
        generated = displayed(probe, "generative")
        assert generated.note == ""
        assert generated.display_stamp == generated.key.stamp
        image = np.frombuffer(bytes(generated.image.data), np.uint8).reshape(generated.image.height, 320, 3)
        assert (image[:40] == scene().environment[:40]).all()
        status = wait_for_status(probe, NODE, lambda status: values(status).get("backend") == "generative", "generated")
        assert int(values(status)["generated"]) >= 1
        assert program.interrupt() == 0, program.output


def test_node_whose_model_is_missing_shows_the_contour_and_says_why_once(tmp_path: Path) -> None:
    model = str(tmp_path / "nothing")
    with (
        probe_diagnostics((CONTOUR, Reconstruction)) as probe,
        node(tmp_path, generative_model=model) as program,
        omegas(probe),
    ):
        status = wait_for_status(probe, NODE, lambda status: "model is missing" in status.message, "the missing model")
        assert values(status)["backend"] == "contour"
        before = probe.counts[CONTOUR]
        probe.wait_for(lambda s: s.counts[CONTOUR] > before + 10, "the contour that goes on")
        assert "model is missing" in probe.messages(CONTOUR)[-1].note
        # The libraries that load it are in requirements/generative.txt, and may be missing as well.
        wait_until(lambda: "model is missing" in program.output, "the log")
        assert program.output.count("the contour is shown") == 1
        assert program.interrupt() == 0, program.output


def test_node_without_a_model_to_load_ends_and_says_what_to_give(tmp_path: Path) -> None:
    with node(tmp_path) as program:
        assert program.wait() == 1
        assert "generative_model: is empty" in program.output and "docs/generative.md" in program.output


def test_node_does_not_take_another_backend(tmp_path: Path) -> None:
    with started("privcam_cloud", "reconstruction_node", tmp_path / "node.log", backend="magic") as program:
        assert program.wait() == 1
        assert "contour, generative" in program.output
