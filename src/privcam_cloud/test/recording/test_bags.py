"""Bags whose recorder was killed while it wrote."""

import struct
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from mcap.reader import make_reader
from rosbags.highlevel import AnyReader
from rosbags.typesys import Stores, get_typestore

from privcam_cloud.recording.bag_recorder import BagRecorder
from privcam_cloud.recording.checkpointed_mcap import CheckpointedMcap
from privcam_cloud.recording.mcap_repair import NotMcap, repair
from privcam_core.types.time import NS_PER_S

TEXT = "std_msgs/msg/String"
STORE = get_typestore(Stores.ROS2_JAZZY)


def record(path: Path, checkpoints: int) -> list[bytes]:
    """Write three messages per checkpoint. Return the bytes of the file after each checkpoint."""
    noise = np.random.default_rng(1)
    bag = CheckpointedMcap(path)
    connection = bag.add_connection("/text", TEXT, typestore=STORE)
    states = []
    for number in range(checkpoints):
        for part in range(3):
            text = f"{number}.{part} " + noise.integers(0, 10**9, 40).astype(str).tobytes().hex()
            data = STORE.serialize_cdr(STORE.types[TEXT](data=text), TEXT)
            bag.write(connection, (3 * number + part) * NS_PER_S, data)
        bag.checkpoint()
        states.append((path / f"{path.name}.mcap").read_bytes())
    bag.finish()
    return states


def texts(path: Path) -> list[str]:
    with AnyReader([path]) as reader:
        return [reader.deserialize(d, c.msgtype).data.split()[0] for c, _, d in reader.messages()]  # type: ignore[attr-defined]


def test_file_after_every_checkpoint_is_whole(tmp_path: Path) -> None:
    for number, state in enumerate(record(tmp_path / "bag", 4)):
        file = tmp_path / f"{number}.mcap"
        file.write_bytes(state)
        assert not repair(file)
        assert file.read_bytes() == state
        assert texts(file) == [f"{n}.{part}" for n in range(number + 1) for part in range(3)]


@pytest.mark.parametrize("reserved", [True, False])
def test_checkpoint_that_was_cut_anywhere_costs_only_its_own_messages(tmp_path: Path, reserved: bool) -> None:
    *_, before, after = record(tmp_path / "bag", 4)
    first_change = next(i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b)
    assert first_change > len(after) // 3
    file = tmp_path / "torn.mcap"
    whole = [f"{n}.{part}" for n in range(3) for part in range(3)]
    seen = set()
    for cut in range(first_change, len(after), 37):
        # The writer reserves the space, then overwrites from the front; some file systems cannot reserve.
        old = before + bytes(len(after) - len(before)) if reserved else before
        file.write_bytes(after[:cut] + old[cut:])
        repair(file)
        assert not repair(file)
        found = texts(file)
        assert found[:9] == whole
        seen.add(len(found))
    assert seen == {9, 12}


@pytest.mark.parametrize("cut", [8, 9, 20, 40])
def test_file_that_was_cut_before_its_first_message_becomes_an_empty_one(tmp_path: Path, cut: int) -> None:
    file = tmp_path / "cut.mcap"
    file.write_bytes(record(tmp_path / "bag", 1)[0][:cut])
    assert repair(file)
    assert file.read_bytes().endswith(b"\x89MCAP0\r\n")


def test_other_files_are_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "notes.mcap"
    for content in (b"", b"notes", struct.pack("<Q", 7) * 9):
        file.write_bytes(content)
        with pytest.raises(NotMcap, match=r"notes\.mcap"):
            repair(file)
        assert file.read_bytes() == content


def test_recorder_that_is_started_again_repairs_what_it_left(tmp_path: Path) -> None:
    *_, before, after = record(tmp_path / "bag", 3)
    file = tmp_path / "bag" / "bag.mcap"
    file.write_bytes(after[: len(before) - 50])
    BagRecorder(tmp_path / "bag").close()
    assert texts(file)[:6] == [f"{n}.{part}" for n in range(2) for part in range(3)]
    assert texts(tmp_path / "bag")[:6] == texts(file)[:6]
    assert (tmp_path / "bag_1").is_dir()


def test_reader_of_the_mcap_library_finds_the_summary_after_every_checkpoint(tmp_path: Path) -> None:
    for number, state in enumerate(record(tmp_path / "bag", 3)):
        reader = make_reader(BytesIO(state), validate_crcs=True)
        summary = reader.get_summary()
        assert summary is not None
        assert summary.statistics is not None
        assert summary.statistics.message_count == 3 * (number + 1)
        assert len(summary.chunk_indexes) == number + 1
        assert [channel.topic for channel in summary.channels.values()] == ["/text"]
        assert len(list(reader.iter_messages())) == 3 * (number + 1)
