"""A recording is played once: whoever starts ended nodes again does not play it over and over."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from privcam_msgs.msg import SealedMessage

from harness.graph_probe import probe_diagnostics, started, values, wait_for_status
from privcam_bringup.launching import Parameter, parse
from privcam_bringup.launching.resources import resource

FRAMES = 20


def write_film(path: Path) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
    for picture in np.random.default_rng(1).integers(0, 255, (FRAMES, 48, 64, 3), np.uint8):
        writer.write(picture)
    writer.release()
    return path


@pytest.mark.parametrize(("kept", "state"), [(1.0, "ended"), (0.8, "failed: ")])
def test_camera_node_of_a_launch_stays_at_the_end_of_a_recording(tmp_path: Path, kept: float, state: str) -> None:
    film = write_film(tmp_path / "a.avi")
    data = film.read_bytes()
    film.write_bytes(data[: int(kept * len(data))])
    with (
        probe_diagnostics(("/cam/frames", SealedMessage)) as probe,
        started("privcam_edge", "camera_node", tmp_path / "log", source=str(film), end_with_recording=False) as camera,
    ):
        status = wait_for_status(probe, "/cam/camera", lambda s: s.message.startswith(state), "the end")
        assert status.level == (DiagnosticStatus.OK if kept == 1.0 else DiagnosticStatus.ERROR)
        captured = int(values(status)["captured"])
        assert 0.5 * kept * FRAMES < captured <= FRAMES
        reports = probe.counts["/diagnostics"]
        probe.wait_for(lambda s: s.counts["/diagnostics"] > reports + 2, "more reports")
        assert camera.running
        assert camera.interrupt() == 0
    assert camera.output.count("ready") == 1
    assert "the recording is over; nothing is captured any more" in camera.output


@pytest.mark.parametrize("composed", ["true", "false"])
@pytest.mark.parametrize("once", ["true", "false"])
def test_launch_file_ends_with_a_recording_only_where_that_is_wanted(composed: str, once: str) -> None:
    arguments = {"source": "0", "once": once, "composed": composed}
    processes = parse(resource("launch/edge.launch.xml"), arguments)
    cameras = [one for one in processes if one.executable in ("camera_node", "edge_composed")]
    assert len(cameras) == 1
    assert cameras[0].required == (once == "true")
    assert Parameter("end_with_recording", once == "true") in cameras[0].parameters
