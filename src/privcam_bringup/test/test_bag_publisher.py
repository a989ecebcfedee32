"""What a replay publishes, where and when."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer
from rosbags.typesys import Stores, get_typestore

from privcam_bringup.bag_publisher import publish_when_due, schedule
from privcam_bringup.bag_routes import OMEGA, plan
from privcam_bringup.bags.storage_file import Topic, UnusableBag
from privcam_bringup.graph import free_domain
from privcam_bringup.replay_command import main
from privcam_core.types.time import NS_PER_S

# Against a test that hangs.
HANG_LIMIT_S = 300.0
IMAGE = "sensor_msgs/msg/Image"
STORE = get_typestore(Stores.ROS2_JAZZY)


def topic(name: str, msgtype: str, count: int = 1) -> Topic:
    return Topic(name, msgtype, count)


def routes(
    *topics: Topic, camera_id: str | None = None, wanted: str | None = None, pictures: bool | None = None
) -> dict[str, str]:
    return {route.source.name: route.topic for route in plan(topics, camera_id, wanted, pictures=pictures)}


def test_messages_are_due_as_they_were_recorded() -> None:
    recorded = [(5 * NS_PER_S, "a"), (5 * NS_PER_S + NS_PER_S // 2, "b"), (8 * NS_PER_S, "c")]
    assert list(schedule(recorded, 1.0)) == [(0.0, "a"), (0.5, "b"), (3.0, "c")]
    assert list(schedule(recorded, 2.0)) == [(0.0, "a"), (0.25, "b"), (1.5, "c")]
    assert list(schedule(recorded, 0.5)) == [(0.0, "a"), (1.0, "b"), (6.0, "c")]
    assert list(schedule([], 1.0)) == []


def test_order_of_the_bag_is_kept_where_its_times_go_back() -> None:
    recorded = [(5 * NS_PER_S, "a"), (7 * NS_PER_S, "b"), (6 * NS_PER_S, "c"), (4 * NS_PER_S, "d"), (8 * NS_PER_S, "e")]
    assert list(schedule(recorded, 1.0)) == [(0.0, "a"), (2.0, "b"), (2.0, "c"), (2.0, "d"), (3.0, "e")]


def test_each_message_is_published_after_its_time_and_none_after_an_interrupt() -> None:
    order: list[object] = []

    def wait_until(due: float) -> bool:
        order.append(due)
        return due < 2.0

    assert not publish_when_due([(0.0, "a"), (1.0, "b"), (2.0, "c"), (3.0, "d")], order.append, wait_until)
    assert order == [0.0, "a", 1.0, "b", 2.0]


def test_schedule_reads_a_bag_no_faster_than_it_is_played() -> None:
    read: list[int] = []

    def bag() -> Iterator[tuple[int, int]]:
        for number in range(100):
            read.append(number)
            yield number * NS_PER_S, number

    publish_when_due(schedule(bag(), 1.0), lambda _: None, lambda due: due < 3.0)
    assert read == [0, 1, 2, 3]


def test_recorded_omega_goes_to_the_cloud_and_what_the_cloud_makes_is_left_out() -> None:
    bag = [
        topic("/room1/cloud/omega", OMEGA),
        topic("/room1/cloud/report", "privcam_msgs/msg/SceneReport"),
        topic("/room1/cloud/contour", "privcam_msgs/msg/Reconstruction"),
        topic("/diagnostics", "diagnostic_msgs/msg/DiagnosticArray"),
    ]
    assert routes(*bag) == {"/room1/cloud/omega": "/room1/cloud/omega", "/diagnostics": "/diagnostics"}
    assert routes(*bag, camera_id="lab")["/room1/cloud/omega"] == "/lab/cloud/omega"


def test_several_cameras_keep_their_names() -> None:
    bag = [topic("/a/cloud/omega", OMEGA), topic("/b/cloud/omega", OMEGA)]
    assert list(routes(*bag).values()) == ["/a/cloud/omega", "/b/cloud/omega"]
    with pytest.raises(UnusableBag, match=r"Ω on several topics, which cannot all become c; .*--topic"):
        routes(*bag, camera_id="c")
    assert routes(*bag, camera_id="c", wanted="/b/cloud/omega") == {"/b/cloud/omega": "/c/cloud/omega"}


def test_omega_of_another_recorder_needs_a_name_for_its_camera() -> None:
    with pytest.raises(UnusableBag, match=r"/Ward 3/out names no camera .*--camera-id"):
        routes(topic("/Ward 3/out", OMEGA))
    assert routes(topic("/Ward 3/out", OMEGA), camera_id="lab") == {"/Ward 3/out": "/lab/cloud/omega"}


def test_bag_that_the_started_graph_cannot_use_is_refused_with_the_argument_to_change() -> None:
    omega, picture = topic("/a/cloud/omega", OMEGA), topic("/cam/rgb", IMAGE)
    with pytest.raises(UnusableBag, match=r"has no Ω; start the launch file with pictures:=true .*/cam/rgb"):
        routes(picture, pictures=False)
    with pytest.raises(
        UnusableBag, match=r"has no pictures; start the launch file with pictures:=false .*/a/cloud/omega"
    ):
        routes(omega, pictures=True)
    assert routes(omega, picture, pictures=True) == {"/cam/rgb": "/camera/image_raw"}
    assert routes(omega, picture, wanted="/cam/rgb") == {"/cam/rgb": "/camera/image_raw"}


def test_pictures_of_others_go_to_the_camera_node() -> None:
    imu = topic("/imu", "sensor_msgs/msg/Imu")
    assert routes(topic("/cam/rgb", IMAGE), imu) == {"/cam/rgb": "/camera/image_raw"}
    compressed = topic("/cam/rgb/compressed", "sensor_msgs/msg/CompressedImage")
    assert routes(compressed, camera_id="lab") == {"/cam/rgb/compressed": "/lab/image_raw/compressed"}


def test_choice_between_several_pictures_is_left_to_the_user() -> None:
    bag = [topic("/left", IMAGE), topic("/right", IMAGE)]
    with pytest.raises(UnusableBag, match=r"--topic .*: /left .*/right"):
        routes(*bag)
    assert routes(*bag, wanted="/right") == {"/right": "/camera/image_raw"}
    assert routes(*bag, wanted="right") == {"/right": "/camera/image_raw"}
    with pytest.raises(UnusableBag, match=r"neither Ω nor pictures on /up; choose another topic, it has /left"):
        routes(*bag, wanted="/up")


def write_bag(path: Path, msgtype: str, messages: list[object], plugin: StoragePlugin) -> None:
    with Writer(path, version=9, storage_plugin=plugin) as writer:
        connection = writer.add_connection("/their/topic", msgtype, typestore=STORE)
        for number, message in enumerate(messages):
            writer.write(connection, NS_PER_S + number * NS_PER_S // 20, STORE.serialize_cdr(message, msgtype))


def test_bag_without_a_usable_topic_is_explained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = STORE.types["std_msgs/msg/String"](data="x")
    write_bag(tmp_path / "bag", "std_msgs/msg/String", [text], StoragePlugin.MCAP)
    assert main([str(tmp_path / "bag")]) == 1
    error = capsys.readouterr().err
    assert "neither privcam_msgs/msg/Omega nor" in error
    assert "/their/topic (std_msgs/msg/String, 1)" in error
    assert str(tmp_path / "bag") in error


@pytest.mark.parametrize("name", ["missing", "empty.mcap", "text.db3", "folder"])
def test_file_that_is_no_bag_is_explained(tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty.mcap").touch()
    (tmp_path / "text.db3").write_text("no database")
    (tmp_path / "folder").mkdir()
    assert main([str(tmp_path / name)]) == 1
    assert f"{tmp_path / name} cannot be replayed" in capsys.readouterr().err


@pytest.mark.parametrize(
    "arguments", [["--rate", "0"], ["--rate", "nan"], ["--camera-id", "1a"], ["--camera-id", "A"], ["--fast"]]
)
def test_wrong_option_is_refused(tmp_path: Path, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        main([str(tmp_path), *arguments])
    assert raised.value.code == 2


LISTENER = """
import sys, time
import rclpy
from rclpy.qos import QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import Image
rclpy.init()
node = rclpy.create_node("listener")
got = []
def take(message):
    got.append((message.header.frame_id, bytes(message.data)))
node.create_subscription(Image, "/lab/image_raw", take, QoSProfile(depth=50, reliability=ReliabilityPolicy.RELIABLE))
while len(got) < int(sys.argv[1]):
    rclpy.spin_once(node, timeout_sec=1.0)
print(got)
node.destroy_node()
rclpy.try_shutdown()
"""


@pytest.mark.parametrize("plugin", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
@pytest.mark.parametrize("loop", [False, True])
def test_pictures_reach_a_subscriber_byte_by_byte(tmp_path: Path, plugin: StoragePlugin, loop: bool) -> None:
    pytest.importorskip("rclpy")
    types = STORE.types
    header = lambda n: types["std_msgs/msg/Header"](  # noqa: E731
        stamp=types["builtin_interfaces/msg/Time"](sec=n, nanosec=0), frame_id=f"f{n}"
    )
    pictures = [
        types[IMAGE](
            header=header(n), height=2, width=2, encoding="bgr8", is_bigendian=0, step=6, data=np.full(12, n, np.uint8)
        )
        for n in range(5)
    ]
    write_bag(tmp_path / "bag", IMAGE, list(pictures), plugin)
    wanted = 8 if loop else 5
    environment = {**os.environ, "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST", "ROS_DOMAIN_ID": str(free_domain())}
    replay = [
        sys.executable,
        "-m",
        "privcam_bringup.replay_command",
        str(tmp_path / "bag"),
        "--camera-id",
        "lab",
        "--rate",
        "5",
    ]
    with (
        subprocess.Popen(
            [sys.executable, "-c", LISTENER, str(wanted)], stdout=subprocess.PIPE, text=True, env=environment
        ) as listener,
        subprocess.Popen([*replay, *(["--loop"] if loop else [])], env=environment) as replay_process,
    ):
        output, _ = listener.communicate(timeout=HANG_LIMIT_S)
        if loop:
            replay_process.terminate()
        assert replay_process.wait(timeout=HANG_LIMIT_S) == 0
    expected = [(f"f{n % 5}", bytes([n % 5] * 12)) for n in range(wanted)]
    assert output.strip() == str(expected)
