"""What a recorder that is started again finds in the bags of the one before."""

import struct
from pathlib import Path

import numpy as np
import pytest
from rosbags.interfaces import Connection
from rosbags.rosbag2 import StoragePlugin, Writer

from privcam_cloud.recording.newest_stamp import newest_stamp
from privcam_core.images.environment import encode_environment, environment_of
from privcam_core.types.omega import Embedding, Omega, PrivacyReport, SyncKey, Verdict
from privcam_link import cdr
from privcam_link.wire import TYPE_HASH, TYPE_NAME

START, SECOND = 1_700_000_000 * 10**9, 10**9
PNG = encode_environment(np.full((4, 4, 3), 90, np.uint8), np.ones((4, 4), np.bool_))
OMEGA, REPORT = "/room1/cloud/omega", "/room1/cloud/report"


def omega(frame: int) -> bytes:
    key = SyncKey("room1", frame, START + frame * SECOND)
    z = Embedding("hog-1", (1,), 0.5, b"\x01", 0.25, 1.0)
    return cdr.encode(Omega(key, environment_of(key, PNG, 1), [], z, PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS)))


def report(frame: int) -> bytes:
    """Bytes that begin with κ, as a report does."""
    stamp = START + frame * SECOND
    return b"\x00\x01\x00\x00" + struct.pack("<I6s6xQiI", 6, b"room1", frame, stamp // SECOND, stamp % SECOND)


def bag(path: Path, messages: list[tuple[str, bytes, int]]) -> Path:
    """Write (topic, payload, seconds of reception) into a bag."""
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        topics: dict[str, Connection] = {}
        for topic, payload, seconds in messages:
            if topic not in topics:
                topics[topic] = writer.add_connection(topic, TYPE_NAME, msgdef="uint8 unused", rihs01=TYPE_HASH)
            writer.write(topics[topic], START + seconds * SECOND, payload)
    return path


def test_stamp_is_that_of_the_last_key_on_the_topic(tmp_path: Path) -> None:
    found = bag(tmp_path / "bag", [(OMEGA, omega(1), 100), (OMEGA, omega(2), 101), ("/other", omega(9), 102)])
    assert newest_stamp([found], OMEGA, schema=True) == START + 2 * SECOND


def test_last_key_counts_and_not_the_highest_because_a_clock_may_be_set_back(tmp_path: Path) -> None:
    found = bag(tmp_path / "bag", [(OMEGA, omega(7), 100), (OMEGA, omega(3), 101)])
    assert newest_stamp([found], OMEGA, schema=True) == START + 3 * SECOND


def test_last_message_is_found_before_a_long_pause_of_its_topic(tmp_path: Path) -> None:
    found = bag(tmp_path / "bag", [(OMEGA, omega(1), 0), (OMEGA, omega(2), 1), ("/other", omega(9), 4000)])
    assert newest_stamp([found], OMEGA, schema=True) == START + 2 * SECOND


def test_newest_bag_that_has_the_topic_counts(tmp_path: Path) -> None:
    bags = [
        bag(tmp_path / "bag", [(OMEGA, omega(1), 0)]),
        bag(tmp_path / "bag_1", [(OMEGA, omega(2), 100)]),
        bag(tmp_path / "bag_2", [("/other", omega(3), 200)]),
        bag(tmp_path / "bag_3", []),
    ]
    assert newest_stamp(bags, OMEGA, schema=True) == START + 2 * SECOND


def test_message_without_a_schema_begins_with_its_key(tmp_path: Path) -> None:
    found = bag(tmp_path / "bag", [(REPORT, report(4), 0)])
    assert newest_stamp([found], REPORT, schema=False) == START + 4 * SECOND


@pytest.mark.parametrize("damage", ["missing", "empty", "garbage", "no_omega"])
def test_bag_that_cannot_be_read_is_passed_over_with_a_warning(
    tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    good = bag(tmp_path / "bag", [(OMEGA, omega(1), 0)])
    bad = tmp_path / "bag_1"
    if damage == "no_omega":
        bag(bad, [(OMEGA, b"\x00\x01\x00\x00", 0)])
    elif damage != "missing":
        bag(bad, [(OMEGA, omega(2), 0)])
        for file in bad.iterdir():
            file.write_bytes(b"" if damage == "empty" else b"garbage: [")
    assert newest_stamp([good, bad], OMEGA, schema=True) == START + SECOND
    assert "may be recorded again" in caplog.text


def test_without_a_bag_there_is_nothing(tmp_path: Path) -> None:
    assert newest_stamp([], OMEGA, schema=True) == 0
    assert newest_stamp([bag(tmp_path / "bag", [])], OMEGA, schema=True) == 0
