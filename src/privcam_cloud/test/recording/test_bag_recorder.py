"""Recordings: what is in them, and what is left of them when the recorder is killed or the disk is full."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from rosbags.highlevel import AnyReader

from privcam_cloud.recording.bag_recorder import BagRecorder, RecordingStopped
from privcam_cloud.recording.message_definitions import Definitions, UnknownMessage
from privcam_core.types.time import NS_PER_S

REPOSITORY = Path(__file__).resolve().parents[4]
OMEGA = "privcam_msgs/msg/Omega"
REPORT = "privcam_msgs/msg/SceneReport"
KEY = "privcam_msgs/msg/SyncKey"


def shares(package: str) -> Path:
    """Our messages as they lie in the tree, without a build."""
    folder = REPOSITORY / "src" / package
    if not folder.is_dir():
        raise LookupError(package)
    return folder


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


STORE = Definitions(shares).store_with(OMEGA)


def omega(frame_id: int) -> bytes:
    """A serialized Ω, filled with values that are easy to tell apart."""
    types = STORE.types
    stamp = types["builtin_interfaces/msg/Time"](sec=frame_id, nanosec=5)
    return serialize(OMEGA, blank(OMEGA, key=types[KEY](camera_id="room1", frame_id=frame_id, stamp=stamp), schema=5))


def blank(msgtype: str, **values: Any) -> Any:
    """A message whose fields are all empty, but for those given."""
    fields = {}
    for name, (kind, detail) in STORE.fielddefs[msgtype][1]:
        if name in values:
            fields[name] = values[name]
        elif kind.name == "NAME":
            fields[name] = blank(detail)
        elif kind.name == "BASE":
            fields[name] = "" if detail[0] == "string" else detail[0] == "bool" and bool(0)
        else:
            (element, of), count = detail
            fields[name] = np.zeros(count, np.dtype(of[0])) if element.name == "BASE" and of[0] != "string" else []
    return STORE.types[msgtype](**fields)


def serialize(msgtype: str, message: Any) -> bytes:
    return bytes(STORE.serialize_cdr(message, msgtype))


def read(path: Path) -> list[tuple[str, int, bytes]]:
    with AnyReader([path]) as reader:
        return [(connection.topic, stamp, bytes(data)) for connection, stamp, data in reader.messages()]


def frames(path: Path) -> list[int]:
    with AnyReader([path]) as reader:
        return [reader.deserialize(data, c.msgtype).key.frame_id for c, _, data in reader.messages()]  # type: ignore[attr-defined]


def test_recorded_messages_are_read_back_by_another_tool_without_our_packages(tmp_path: Path) -> None:
    recorder = BagRecorder(tmp_path / "bag", shares=shares)
    report = serialize(REPORT, blank(REPORT, caption="two people walk"))
    recorder.write("/room1/cloud/omega", OMEGA, omega(1), NS_PER_S)
    recorder.write("/room1/cloud/report", REPORT, report, NS_PER_S + 1)
    recorder.write("/room1/cloud/omega", OMEGA, omega(2), 2 * NS_PER_S)
    recorder.close()
    assert read(tmp_path / "bag") == [
        ("/room1/cloud/omega", NS_PER_S, omega(1)),
        ("/room1/cloud/report", NS_PER_S + 1, report),
        ("/room1/cloud/omega", 2 * NS_PER_S, omega(2)),
    ]
    with AnyReader([tmp_path / "bag"]) as reader:  # it has only the definitions in the bag
        messages = [reader.deserialize(data, c.msgtype) for c, _, data in reader.messages()]
    assert messages[1].caption == "two people walk"  # type: ignore[attr-defined]
    assert messages[2].key.camera_id == "room1"  # type: ignore[attr-defined]


def test_metadata_is_that_of_a_rosbag2_bag_of_version_9(tmp_path: Path) -> None:
    recorder = BagRecorder(tmp_path / "bag", shares=shares)
    for frame in range(3):
        recorder.write("/o", OMEGA, omega(frame + 1), (frame + 1) * NS_PER_S)
    recorder.close()
    information = yaml.safe_load((tmp_path / "bag" / "metadata.yaml").read_text())["rosbag2_bagfile_information"]
    assert (information["version"], information["storage_identifier"]) == (9, "mcap")
    assert (information["message_count"], information["duration"]["nanoseconds"]) == (3, 2 * NS_PER_S)
    (topic,) = information["topics_with_message_count"]
    assert topic["topic_metadata"]["type_description_hash"].startswith("RIHS01_")
    assert topic["topic_metadata"]["offered_qos_profiles"][0]["reliability"] == "reliable"
    assert sorted(file.name for file in (tmp_path / "bag").iterdir()) == ["bag.mcap", "metadata.yaml"]


def test_bag_is_readable_after_every_flush_while_it_is_written(tmp_path: Path) -> None:
    clock = Clock()
    recorder = BagRecorder(tmp_path / "bag", shares=shares, clock=clock, flush_s=1.0)
    assert frames(tmp_path / "bag") == []
    for frame in range(1, 6):
        clock.now = 0.6 * frame
        recorder.write("/o", OMEGA, omega(frame), frame * NS_PER_S)
    assert frames(tmp_path / "bag") == [1, 2, 3, 4]
    recorder.flush()
    assert frames(tmp_path / "bag") == [1, 2, 3, 4, 5]
    recorder.close()
    assert frames(tmp_path / "bag") == [1, 2, 3, 4, 5]


def test_killed_recorder_leaves_what_it_had_flushed(tmp_path: Path) -> None:
    code = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
import test_bag_recorder as t
recorder = t.BagRecorder(Path('bag'), shares=t.shares, flush_s=3600.0)
for frame in range(1, 11):
    recorder.write('/o', t.OMEGA, t.omega(frame), frame * t.NS_PER_S)
    if frame == 7:
        recorder.flush()
print('ready', flush=True)
input()"""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", code], stdin=pipe, stdout=pipe, text=True, cwd=tmp_path) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.kill()
    assert process.returncode == -signal.SIGKILL
    assert frames(tmp_path / "bag") == [1, 2, 3, 4, 5, 6, 7]


def test_recording_goes_on_in_a_new_bag_beside_the_old_one(tmp_path: Path) -> None:
    for frame in (1, 2, 3):
        recorder = BagRecorder(tmp_path / "bag", shares=shares)
        recorder.write("/o", OMEGA, omega(frame), NS_PER_S)
        recorder.close()
        assert recorder.earlier == [tmp_path / name for name in ("bag", "bag_1", "bag_2")[: frame - 1]]
    assert [frames(tmp_path / name) for name in ("bag", "bag_1", "bag_2")] == [[1], [2], [3]]


def test_long_recording_is_split_without_a_gap(tmp_path: Path) -> None:
    clock = Clock()
    recorder = BagRecorder(tmp_path / "bag", shares=shares, clock=clock, bag_s=10.0)
    for frame in range(1, 8):
        clock.now += 3.0
        recorder.write("/o", OMEGA, omega(frame), frame * NS_PER_S)
    recorder.close()
    assert [frames(tmp_path / name) for name in ("bag", "bag_1")] == [[1, 2, 3, 4], [5, 6, 7]]


def fill(path: Path) -> tuple[int, RecordingStopped]:
    """Write Ω until the disk is full. Return how many were taken, and the error."""
    recorder = BagRecorder(path, shares=shares, flush_s=0.0)
    noise = os.urandom(40_000)  # does not shrink when it is compressed
    message = STORE.deserialize_cdr(omega(1), OMEGA)
    message.embedding.data = np.frombuffer(noise, "u1")  # type: ignore[attr-defined]
    large = serialize(OMEGA, message)
    taken = 0
    with pytest.raises(RecordingStopped) as raised:
        for frame in range(10_000):
            recorder.write("/o", OMEGA, large, (frame + 1) * NS_PER_S)
            taken += 1
    recorder.close()
    with pytest.raises(RecordingStopped, match="is closed"):
        recorder.write("/o", OMEGA, large, NS_PER_S)
    return taken, raised.value


def test_full_disk_is_a_clear_error_and_leaves_a_readable_bag(tmp_path: Path) -> None:
    code = f"""
import resource, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
import test_bag_recorder as t
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
taken, error = t.fill(Path('bag'))
assert 'make room' in str(error) and 'bag' in str(error), error
print(taken, error.errno)"""
    output = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path)
    taken, number = (int(word) for word in output.stdout.split())
    assert number == errno.EFBIG
    assert taken > 5
    assert len(frames(tmp_path / "bag")) == taken
    assert sorted(file.name for file in (tmp_path / "bag").iterdir()) == ["bag.mcap", "metadata.yaml"]


def test_full_file_system_is_a_clear_error_and_leaves_a_readable_bag(tmp_path: Path) -> None:
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=600k", "tmpfs", str(tmp_path)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("needs the right to mount a small file system")
    try:
        taken, error = fill(tmp_path / "bag")
        assert error.errno == errno.ENOSPC
        assert taken > 5
        assert len(frames(tmp_path / "bag")) == taken
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_bag_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(RecordingStopped, match=r"no bag can be made at .*file/bag.*give another path"):
        BagRecorder(tmp_path / "file" / "bag", shares=shares)


@pytest.mark.parametrize("payload", [b"", b"\x00\x01\x00", b"\x01\x01\x00\x00rest", b"\x00\x07\x00\x00"])
def test_bytes_that_are_no_message_are_refused(tmp_path: Path, payload: bytes) -> None:
    recorder = BagRecorder(tmp_path / "bag", shares=shares)
    with pytest.raises(ValueError, match="/o"):
        recorder.write("/o", OMEGA, payload, NS_PER_S)
    recorder.close()


@pytest.mark.parametrize(
    ("msgtype", "complaint"),
    [("privcam_msgs/msg/Nothing", "has no such message"), ("no_msgs/msg/A", "no_msgs is not installed")],
)
def test_message_without_a_definition_is_refused(tmp_path: Path, msgtype: str, complaint: str) -> None:
    recorder = BagRecorder(tmp_path / "bag", shares=shares)
    with pytest.raises(UnknownMessage, match=complaint):
        recorder.write("/o", msgtype, omega(1), NS_PER_S)
    recorder.close()


def test_messages_of_ros_itself_need_no_installed_package(tmp_path: Path) -> None:
    recorder = BagRecorder(tmp_path / "bag", shares=shares)
    stamp = STORE.types["builtin_interfaces/msg/Time"](sec=3, nanosec=4)
    recorder.write("/t", "builtin_interfaces/msg/Time", serialize("builtin_interfaces/msg/Time", stamp), NS_PER_S)
    recorder.close()
    assert [topic for topic, _, _ in read(tmp_path / "bag")] == ["/t"]
