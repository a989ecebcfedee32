"""Whatever ends the launcher, its nodes end too, in order, and the frame memory is overwritten and gone."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import psutil
import pytest

from harness.graph_probe import HANG_LIMIT_S
from privcam_bringup.launching.resources import resource
from privcam_bringup.launching.runner import SIGKILL_AFTER_S, SIGTERM_AFTER_S
from privcam_edge.frames import ring_file
from privcam_edge.frames.ring import prefix
from privcam_ros.launcher.launcher_watch import END_LIMIT_S

STOCK = pytest.mark.skipif(find_spec("launch_ros") is None, reason="the stock launch tool is not installed")
ROS2 = pytest.mark.skipif(shutil.which("ros2") is None, reason="the stock command line is not installed")
OURS = [sys.executable, "-c", "import sys; from pathlib import Path; from privcam_bringup.launching import run; "
        "sys.exit(run(Path(sys.argv[1]), {}))"]  # fmt: skip
COMMAND = [sys.executable, "-m", "privcam_cli", "launch"]
END_S = 5.0
# Whatever this test was started below.
AS_A_SHELL_STARTS_IN_THE_BACKGROUND = ["env", "--default-signal=HUP", "--ignore-signal=INT"]


@pytest.fixture
def launch_file(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """Give a launch file with a camera that captures a clip over and over, and the name of the camera."""
    clip = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (64, 48))
    for shade in range(25):
        writer.write(np.full((48, 64, 3), 10 * shade, np.uint8))
    writer.release()
    camera = f"ending{os.getpid()}"
    parameters = {"camera_id": camera, "source": str(clip), "loop": "true"}
    listed = "".join(f'<param name="{name}" value="{value}"/>' for name, value in parameters.items())
    file = tmp_path / "camera.launch.xml"
    file.write_text(
        f'<launch><include file="{resource("launch/environment.launch.xml")}"/><privcam_start_key/>'
        f'<node pkg="privcam_edge" exec="camera_node" name="camera" namespace="{camera}" output="screen"'
        f' respawn="true">{listed}</node></launch>'
    )
    yield file, camera
    for name in ring_file.names(prefix(camera)):
        ring_file.wipe_and_remove(name)


@contextmanager
def started(command: list[str], log: Path) -> Iterator["subprocess.Popen[bytes]"]:
    with log.open("wb") as out:
        launcher = subprocess.Popen(
            [*AS_A_SHELL_STARTS_IN_THE_BACKGROUND, *command],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        yield launcher
    finally:
        launcher.kill()
        launcher.wait()


def wait_until_capturing(launcher: "subprocess.Popen[bytes]", camera: str, log: Path) -> list[psutil.Process]:
    """Return the node, and all that it started, as soon as its frame memory is there."""
    deadline = time.monotonic() + HANG_LIMIT_S
    while not ring_file.names(prefix(camera)):
        failed = any(text in log.read_text() for text in ("process has died", "ended with exit code"))
        assert not failed and launcher.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    processes = psutil.Process(launcher.pid).children(recursive=True)
    assert any("camera_node" in " ".join(process.cmdline()) for process in processes)
    return processes  # type: ignore[no-any-return]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
@pytest.mark.parametrize("command", [
    pytest.param(OURS, id="ours"),
    pytest.param(COMMAND, id="privcam", marks=STOCK),
    pytest.param(["ros2", "launch"], id="ros2", marks=ROS2),
])  # fmt: skip
def test_end_of_the_launcher_ends_the_camera_and_wipes_its_frames(
    command: list[str], number: signal.Signals, launch_file: tuple[Path, str], tmp_path: Path
) -> None:
    file, camera = launch_file
    log = tmp_path / "log"
    with started([*command, str(file)], log) as launcher:
        processes = wait_until_capturing(launcher, camera, log)
        launcher.send_signal(number)
        launcher.wait(HANG_LIMIT_S)
    _, alive = psutil.wait_procs(processes, timeout=HANG_LIMIT_S)
    assert alive == [], log.read_text()
    assert ring_file.names(prefix(camera)) == set()


def test_camera_that_takes_no_signal_is_killed_and_its_frames_are_wiped(
    launch_file: tuple[Path, str], tmp_path: Path
) -> None:
    file, camera = launch_file
    log = tmp_path / "log"
    with started([*OURS, str(file)], log) as launcher:
        processes = wait_until_capturing(launcher, camera, log)
        next(process for process in processes if "camera_node" in " ".join(process.cmdline())).suspend()
        launcher.send_signal(signal.SIGTERM)
        launcher.wait(HANG_LIMIT_S)
    _, alive = psutil.wait_procs(processes, timeout=HANG_LIMIT_S)
    assert alive == [] and ring_file.names(prefix(camera)) == set()


def lets(file: Path) -> Mapping[str, float]:
    return {e.attrib["name"]: float(e.attrib["value"]) for e in ElementTree.parse(file).getroot().iter("let")}


def test_all_time_outs_together_are_below_the_limit_and_equal_for_both_launchers() -> None:
    assert SIGTERM_AFTER_S + SIGKILL_AFTER_S < END_S and END_LIMIT_S < END_S
    stock = lets(resource("launch/environment.launch.xml"))
    assert stock == {"sigterm_timeout": SIGTERM_AFTER_S, "sigkill_timeout": SIGKILL_AFTER_S}
