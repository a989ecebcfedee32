"""Shared memory of Fast DDS, and the command."""

import os
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

from privcam_bringup.launching import graph_environment, main, shared_memory_warning
from privcam_bringup.launching.graph_environment import SEGMENT_BYTES, remove_stale_shared_memory

REPOSITORY = Path(__file__).resolve().parents[3]
OF_A_SEGMENT = ["fastrtps_a803b6d9907dbed1", "fastrtps_a803b6d9907dbed1_el"]
OF_A_PORT = ["fastrtps_port7411", "fastrtps_port7411_el", "sem.fastrtps_port7411_mutex"]
OF_OTHERS = ["fastrtps_notes.txt", "sem.other", "privcam_0_room1"]


def make(folder: Path) -> None:
    for name in (*OF_A_SEGMENT, *OF_A_PORT, *OF_OTHERS):
        (folder / name).write_bytes(b"x" * 4096)


def names(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def test_files_of_dead_processes_are_removed_and_nothing_else(tmp_path: Path) -> None:
    make(tmp_path)
    removed = remove_stale_shared_memory(tmp_path, young_s=-1.0)
    assert {file.name for file in removed} == {*OF_A_SEGMENT, *OF_A_PORT}
    assert names(tmp_path) == set(OF_OTHERS)


@pytest.mark.parametrize("how", ["map", "open"])
def test_files_that_a_process_uses_stay_together(tmp_path: Path, how: str) -> None:
    make(tmp_path)
    use = {
        "map": "import mmap; f = open('fastrtps_port7411', 'r+b'); m = mmap.mmap(f.fileno(), 0); f.close()",
        "open": "f = open('fastrtps_port7411_el')",
    }[how]
    code = f"{use}; print('ready', flush=True); input()"
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True, cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        remove_stale_shared_memory(tmp_path, young_s=-1.0)
        assert names(tmp_path) == {*OF_A_PORT, *OF_OTHERS}
        process.communicate("\n")


def test_file_that_was_just_made_stays(tmp_path: Path) -> None:
    make(tmp_path)
    assert remove_stale_shared_memory(tmp_path) == []


def test_too_little_shared_memory_is_reported_with_what_to_do() -> None:
    assert shared_memory_warning(0) is None
    status = os.statvfs("/dev/shm")
    too_many = status.f_blocks * status.f_frsize // SEGMENT_BYTES + 1
    warning = shared_memory_warning(too_many)
    assert warning is not None
    assert "--shm-size" in warning
    assert "mount a tmpfs" in str(shared_memory_warning(1, Path("/no/such/folder")))


def test_profile_has_shared_memory_whose_messages_fit_its_segment_and_the_loopback_and_no_other_transport() -> None:
    root = ElementTree.parse(REPOSITORY / "config" / "fastdds_shm.xml").getroot()
    transports = {}
    for element in root.iter():
        if element.tag.endswith("}transport_descriptor"):
            values = {part.tag.rpartition("}")[2]: (part.text or "").strip() for part in element.iter()}
            transports[values["type"]] = values
    assert set(transports) == {"SHM", "UDPv4"}
    memory = transports["SHM"]
    assert int(memory["segment_size"]) == int(memory["maxMessageSize"]) == SEGMENT_BYTES
    addresses = [element.text for element in root.iter() if element.tag.endswith("}address")]
    assert addresses == ["127.0.0.1"]
    assert [element.text for element in root.iter() if element.tag.endswith("}useBuiltinTransports")] == ["false"]


def test_rviz_shows_the_default_camera_with_profiles_that_match_any_publisher_of_pictures() -> None:
    displays = yaml.safe_load((REPOSITORY / "config" / "privcam.rviz").read_text())["Visualization Manager"]
    assert displays["Global Options"]["Fixed Frame"] == "camera"
    topics = {display["Topic"]["Value"]: display for display in displays["Displays"]}
    assert set(topics) == {"/camera/proxy_image", "/camera/cloud/contour_image", "/camera/markers"}
    pictures = [d for d in topics.values() if d["Class"] == "rviz_default_plugins/Image"]
    assert [d["Topic"]["Reliability Policy"] for d in pictures] == ["Best Effort"] * 2


def test_graph_environment_names_the_profile_and_the_domain(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FASTRTPS_DEFAULT_PROFILES_FILE", raising=False)
    environment = graph_environment(7)
    assert environment["ROS_DOMAIN_ID"] == "7"
    assert environment["ROS_AUTOMATIC_DISCOVERY_RANGE"] == "LOCALHOST"
    assert Path(environment["FASTRTPS_DEFAULT_PROFILES_FILE"]).samefile(REPOSITORY / "config" / "fastdds_shm.xml")
    monkeypatch.setenv("FASTRTPS_DEFAULT_PROFILES_FILE", "/my/profile.xml")
    assert graph_environment(7)["FASTRTPS_DEFAULT_PROFILES_FILE"] == "/my/profile.xml"
    with pytest.raises(ValueError, match="ROS_DOMAIN_ID"):
        graph_environment(102)


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (["no_such.launch.xml"], "check the path"),
        (["no_such"], "there is no launch file no_such"),
        (["edge", "camera_id=x"], "not of the form NAME:=VALUE"),
        (["edge", "colour:=red"], "colour not declared"),
        (["edge", "lossless:=fast"], "'fast' is not one of true, false"),
        (["demo"], "source:=VALUE"),
    ],
)
def test_wrong_use_of_the_command_is_explained(
    arguments: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 1
    assert complaint in capsys.readouterr().err
