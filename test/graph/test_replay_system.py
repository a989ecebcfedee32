"""`./privcam replay` and replay.launch.xml: a recording takes the place of the camera or of the link."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import cv2
from privcam_msgs.msg import Omega, Reconstruction, SceneReport
from rosbags.highlevel import AnyReader
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from harness.edge_parameters import write_edge_parameters
from harness.graph_probe import DOMAIN, HANG_LIMIT_S, GraphProbe, own_endpoint
from privcam_bringup.graph import Graph
from privcam_ros.conversions import stamp_from_msg

IMAGE = "sensor_msgs/msg/Image"
STORE = get_typestore(Stores.ROS2_JAZZY)
PERIOD_NS = 10**8
PICTURES = 150
# So slow that some of it is left when the slowest node has loaded its model, and that a slow machine keeps up.
RATE = 0.2
SIZE = (384, 288)
BEGIN_S = 1_700_000_000
# Pictures of one round of a loop.
ROUND_PICTURES = 20


def recorded_frame_ids(bag: Path) -> list[int]:
    with AnyReader([bag]) as reader:
        wanted = [c for c in reader.connections if c.msgtype == "privcam_msgs/msg/Omega"]
        messages: list[Any] = [reader.deserialize(data, c.msgtype) for c, _, data in reader.messages(wanted)]
    return [message.key.frame_id for message in messages]


def test_recorded_omega_is_understood_again_by_a_cloud_without_a_bridge(demo: Any, tmp_path: Path) -> None:
    bag = demo.out / "omega.mcap"
    recorded = recorded_frame_ids(bag)
    graph = Graph("replay", {"bag": str(bag), "camera_id": "again"}, log=tmp_path / "graph.log", domain_id=DOMAIN)
    topics = {"/again/cloud/report": SceneReport, "/again/cloud/contour": Reconstruction}
    with GraphProbe(topics) as probe, graph:
        assert graph.wait(HANG_LIMIT_S), "the replay did not end by itself"
        probe.wait_for(lambda s: s.counts["/again/cloud/report"] >= len(recorded) // 2, "reports on the recording")
    assert graph.exit_code == 0, graph.errors()
    reported = [report.key.frame_id for report in probe.messages("/again/cloud/report")]
    assert set(reported) <= set(recorded)
    assert reported[-1] == recorded[-1]
    assert probe.counts["/again/cloud/contour"] > 0
    assert any(report.events for report in probe.messages("/again/cloud/report"))


def test_bag_without_the_needed_topics_is_refused_and_its_topics_are_named(tmp_path: Path) -> None:
    bag = tmp_path / "bag"
    with Writer(bag, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection("/their/words", "std_msgs/msg/String", typestore=STORE)
        word = STORE.types["std_msgs/msg/String"](data="x")
        writer.write(connection, 1, STORE.serialize_cdr(word, "std_msgs/msg/String"))
    command = [sys.executable, "-m", "privcam_cli", "replay", str(bag)]
    refused = subprocess.run(command, capture_output=True, text=True, timeout=HANG_LIMIT_S, check=False)
    assert refused.returncode == 1
    assert str(bag) in refused.stderr
    assert "/their/words (std_msgs/msg/String, 1)" in refused.stderr
    assert "privcam_msgs/msg/Omega" in refused.stderr


def write_pictures(clip: Path, bag: Path, count: int = PICTURES) -> None:
    """Write the beginning of the clip as another camera's bag would hold it."""
    types = STORE.types
    capture = cv2.VideoCapture(str(clip))
    with Writer(bag, version=9, storage_plugin=StoragePlugin.SQLITE3) as writer:
        connection = writer.add_connection("/their/camera", IMAGE, typestore=STORE)
        for number in range(count):
            picture = cv2.resize(capture.read()[1], SIZE, interpolation=cv2.INTER_AREA)
            seconds, nanoseconds = divmod(number * PERIOD_NS, 10**9)
            stamp = types["builtin_interfaces/msg/Time"](sec=BEGIN_S + seconds, nanosec=nanoseconds)
            message = types[IMAGE](
                header=types["std_msgs/msg/Header"](stamp=stamp, frame_id="their_camera"),
                height=SIZE[1],
                width=SIZE[0],
                encoding="bgr8",
                is_bigendian=0,
                step=3 * SIZE[0],
                data=picture.reshape(-1),
            )
            writer.write(connection, BEGIN_S * 10**9 + number * PERIOD_NS, STORE.serialize_cdr(message, IMAGE))


def test_pictures_of_another_camera_become_omega(clip: Path, tmp_path: Path) -> None:
    write_pictures(clip, tmp_path / "bag")
    arguments = {
        "bag": str(tmp_path / "bag"),
        "pictures": "true",
        "camera_id": "theirs",
        "endpoint": own_endpoint(),
        "rate": str(RATE),
        "edge_params_file": str(write_edge_parameters(tmp_path)),
    }
    graph = Graph("replay", arguments, log=tmp_path / "graph.log", domain_id=DOMAIN)
    with GraphProbe({"/theirs/cloud/omega": Omega}) as probe, graph:
        probe.wait_for(lambda s: s.counts["/theirs/cloud/omega"] >= 10 or not graph.running, "Ω of the pictures")
        omegas: list[Any] = probe.messages("/theirs/cloud/omega")
    assert len(omegas) >= 10, graph.errors()
    assert all(omega.privacy.replay for omega in omegas)
    for omega in omegas:  # the time of the picture is kept, so that Ω can be set beside what others recorded
        stamp = omega.key.stamp
        number, rest = divmod((stamp.sec - BEGIN_S) * 10**9 + stamp.nanosec, PERIOD_NS)
        assert rest == 0
        assert 0 <= number < PICTURES
        assert (omega.environment.width, omega.environment.height) == SIZE


def test_pictures_that_are_played_in_a_loop_become_omega_in_each_round(clip: Path, tmp_path: Path) -> None:
    write_pictures(clip, tmp_path / "bag", ROUND_PICTURES)
    arguments = {
        "bag": str(tmp_path / "bag"),
        "pictures": "true",
        "camera_id": "looped",
        "endpoint": own_endpoint(),
        "rate": str(RATE),
        "loop": "true",
        "edge_params_file": str(write_edge_parameters(tmp_path)),
    }
    graph = Graph("replay", arguments, log=tmp_path / "graph.log", domain_id=DOMAIN)

    def rounds(probe: GraphProbe) -> int:
        """Return how many rounds the stamps of Ω cover: they go on where those of the pictures go back."""
        stamps = [stamp_from_msg(omega.key.stamp) for omega in probe.messages("/looped/cloud/omega")]
        return (max(stamps, default=0) - BEGIN_S * 10**9) // (ROUND_PICTURES * PERIOD_NS)

    with GraphProbe({"/looped/cloud/omega": Omega}) as probe, graph:
        probe.wait_for(lambda p: rounds(p) >= 3 or not graph.running, "Ω of the fourth round")
        omegas: list[Any] = probe.messages("/looped/cloud/omega")
    assert rounds(probe) >= 3, graph.errors()
    assert all(omega.privacy.replay for omega in omegas)
    stamps = [(omega.key.stamp.sec, omega.key.stamp.nanosec) for omega in omegas]
    assert stamps == sorted(set(stamps))
    assert "went back or jumped ahead" in graph.log.read_text(encoding="utf-8")
