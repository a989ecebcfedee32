"""A misspelt launch argument is refused in one line that names the right one, by every launcher; nothing starts."""

import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

# Against a launch that starts nodes instead.
HANG_LIMIT_S = 300.0
LAUNCHERS = [
    pytest.param(
        [sys.executable, "-m", "privcam_cli", "launch"],
        id="stock service" if find_spec("launch_ros") is not None else "ours",
    ),
    pytest.param(
        ["ros2", "launch", "privcam_bringup"],
        id="ros2",
        marks=pytest.mark.skipif(shutil.which("ros2") is None, reason="the stock command line is not installed"),
    ),
]
FILES = {
    "edge": [],
    "cloud": [],
    "demo": ["source:=clip.avi"],
    "site": ["cameras:=a"],
    "gateway": ["cameras:=a"],
    "replay": ["bag:=b"],
}


def launch(command: list[str], name: str, *arguments: str) -> tuple[int, str]:
    """Run a launch file to its end; return the exit code and what was written."""
    file = name if command[-1] == "launch" else f"{name}.launch.xml"
    done = subprocess.run(
        [*command, file, *arguments], capture_output=True, text=True, timeout=HANG_LIMIT_S, check=False
    )
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("command", LAUNCHERS)
def test_misspelt_argument_is_refused_with_the_right_one(command: list[str], name: str) -> None:
    right = "cameras" if name in ("site", "gateway") else "camera_id"
    code, output = launch(command, name, *FILES[name], f"{right[:-1]}s_:=x", "respwan:=false")
    told = [line for line in output.splitlines() if "not declared" in line]
    assert code == 1 and len(told) == 1, output
    assert f"(meant: {right}?)" in told[0]
    assert "process started" not in output and "[camera]" not in output


@pytest.mark.parametrize("command", LAUNCHERS)
def test_misspelt_argument_that_has_no_default_is_named(command: list[str]) -> None:
    code, output = launch(command, "demo", "sorce:=clip.avi")
    assert code == 1
    assert any("source" in line and "sorce" in line for line in output.splitlines()), output


@pytest.mark.parametrize(
    ("name", "arguments", "told"),
    [
        ("edge", ["source:={tmp}/none.mp4"], "source {tmp}/none.mp4: no such file"),
        ("edge", ["source:={tmp}"], "source {tmp}: is no file, but a folder"),
        ("edge", ["source:=srt://10.0.0.7"], "the scheme srt cannot be opened"),
        ("edge", ["source:=0", "source:=1"], "source:= is given more than once; give it once"),
        ("edge", ["camera_id:=Room1"], "camera_id: 'Room1' is not 1 to 64 of a-z, 0-9 and _, no digit first"),
        ("edge", ["camera_id:=room 1"], "camera_id: 'room 1' is not"),
        ("edge", ["camera_id:=1st"], "camera_id: '1st' is not"),
        ("edge", ["camera_id:=küche"], "camera_id: 'küche' is not"),
        ("edge", ["camera_id:=room/1"], "camera_id: 'room/1' is not"),
        ("edge", ["camera_id:="], "camera_id: '' is not"),
        ("edge", ["params_file:={tmp}/none.yaml"], "params_file: {tmp}/none.yaml is not a file"),
        ("edge", ["credentials:={tmp}/none"], "credentials: {tmp}/none is not a folder"),
        ("edge", ["source:=rtsp://h/x", "source_credentials:={tmp}/none"], "source_credentials {tmp}/none: cannot be"),
        ("cloud", ["camera_id:=Room1"], "camera_id: 'Room1' is not"),
        ("site", ["cameras:=a B"], "cameras: 'B' is not"),
        ("site", ["cameras:= "], "cameras: names no camera"),
        ("site", ["cameras:=a b a"], "cameras: a b a names a camera twice"),
        ("gateway", ["cameras:=a b a"], "cameras: a b a names a camera twice"),
        ("replay", ["bag:={tmp}"], "the bag {tmp} cannot be replayed: the folder is empty"),
        ("replay", ["bag:={tmp}/none"], "the bag {tmp}/none cannot be replayed: there is no such file or folder"),
        ("demo", ["source:={tmp}/none.mp4"], "source {tmp}/none.mp4: no such file"),
    ],
)
@pytest.mark.parametrize("command", LAUNCHERS)
def test_value_with_which_a_node_would_fail_for_ever_is_refused_in_one_line(
    command: list[str], name: str, arguments: list[str], told: str, tmp_path: Path
) -> None:
    code, output = launch(command, name, *(word.format(tmp=tmp_path) for word in arguments))
    assert code == 1
    assert sum(told.format(tmp=tmp_path) in line for line in output.splitlines()) == 1, output
    assert "Traceback" not in output and "process started" not in output and "[camera]" not in output


@pytest.mark.parametrize("command", LAUNCHERS)
def test_parameters_of_a_camera_that_is_not_there_are_refused(command: list[str], tmp_path: Path) -> None:
    file = tmp_path / "sections.yaml"
    file.write_text("/**/camera: {}\n/a/camera: {}\n/c/eraser: {}\n")
    code, output = launch(command, "gateway", "cameras:=a b", f"params_file:={file}")
    assert code == 1
    assert f"params_file: {file} has a section /c/eraser, and c is none of cameras:=a b" in output
    assert "Traceback" not in output and "process started" not in output


def test_argument_of_the_users_own_file_may_have_any_value(tmp_path: Path) -> None:
    file = tmp_path / "robot.launch.xml"
    file.write_text('<launch><arg name="bag"/><arg name="camera_id"/></launch>')
    done = subprocess.run([*LAUNCHERS[0].values[0], str(file), "bag:=paper", "camera_id:=Front left"],
                          capture_output=True, text=True, timeout=HANG_LIMIT_S, check=False)  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", [["demo", "--source"], ["survey"], ["check"], ["commission", "--camera-id=a",
                                     "--operator=x", "--source"]], ids=lambda words: words[0])  # fmt: skip
def test_clip_that_is_missing_is_told_at_once_by_every_command(command: list[str], tmp_path: Path) -> None:
    clip = tmp_path / "none.mp4"
    done = subprocess.run([sys.executable, "-m", "privcam_cli", *command, str(clip)],
                          capture_output=True, text=True, cwd=tmp_path, timeout=HANG_LIMIT_S, check=False)  # fmt: skip
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == f"[{command[0]}] source {clip}: no such file\n"


@pytest.mark.skipif(shutil.which("ros2") is None, reason="the stock command line is not installed")
def test_file_of_a_user_that_includes_ours_has_arguments_of_its_own(tmp_path: Path) -> None:
    file = tmp_path / "robot.launch.xml"
    file.write_text(
        '<launch><arg name="robot"/><include file="$(find-pkg-share privcam_bringup)/launch/cloud.launch.xml">'
        '<arg name="camera_id" value="room"/></include></launch>'
    )
    done = subprocess.run(["ros2", "launch", str(file), "robot:=r2", "launch-prefix:=true"],
                          capture_output=True, text=True, timeout=HANG_LIMIT_S, check=False)  # fmt: skip
    output = done.stdout + done.stderr
    assert "not declared" not in output and "process started" in output, output
