"""A running cloud with a live camera, and everything that was recorded of it played into the same topics."""

import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from privcam_msgs.msg import Omega as OmegaMsg
from privcam_msgs.msg import Reconstruction, SceneReport
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosbags.rosbag2 import StoragePlugin, Writer

from harness.graph_probe import (
    DOMAIN,
    HANG_LIMIT_S,
    GraphProbe,
    own_endpoint,
    probe_diagnostics,
    values,
    wait_for_status,
)
from privcam_bringup.graph import Graph
from privcam_cloud.recording.message_definitions import Definitions
from privcam_core.images.environment import encode_environment, environment_of
from privcam_core.types.omega import Embedding, Omega, PrivacyReport, SubjectPose, SyncKey, Verdict
from privcam_core.types.sight import Sight
from privcam_core.types.time import NS_PER_S
from privcam_edge.link.omega_queue import OmegaQueue
from privcam_edge.link.picture_schedule import PictureSchedule
from privcam_edge.link.session import EdgeLink
from privcam_link import cdr
from privcam_link.session_settings import camera_end
from privcam_ros.conversions import omega_to_msg

CAMERA = "room1"
OMEGA, REPORT, CONTOUR = (f"/{CAMERA}/cloud/{name}" for name in ("omega", "report", "contour"))
INFERENCE = f"/{CAMERA}/cloud/inference"
RATE_HZ = 10.0
PNG = encode_environment(np.full((64, 96, 3), 90, np.uint8), np.ones((64, 96), np.bool_))
Z = Embedding("hog-1", (1,), 0.5, b"\x01", 0.25, 1.0)
# A subject only the recording has.
RECORDED_SUBJECT = 7
# Reports of a round, at least; as many as there are Ω where the host is not busy.
MIN_OF_A_ROUND = 5
# The yellow of the mark, BGR.
MARK = (0, 200, 255)


def made(number: int, stamp_ns: int, *, subjects: int = 0, replay: bool = False, sight: Sight = Sight.CLEAR) -> Omega:
    """Return an Ω of a room, with a standing subject where there is a number for one."""
    key = SyncKey(CAMERA, number, stamp_ns)
    keypoints = np.tile(np.float32([48.0, 30.0, 0.9]), (17, 1))
    poses = [SubjectPose(subjects, (40.0, 10.0, 56.0, 60.0), keypoints)] if subjects else []
    report = PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS, sight=sight, replay=replay)
    return Omega(key, environment_of(key, PNG, 1), poses, Z, report)


class LiveEdge:
    """Sends live Ω, ten in a second, until it is closed."""

    def __init__(self, folder: Path, endpoint: str) -> None:
        self._queue = OmegaQueue(folder)
        self._link = EdgeLink(CAMERA, camera_end(CAMERA, endpoint)[0], self._queue, PictureSchedule())
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        number = 0
        while not self._ending.wait(1.0 / RATE_HZ):
            number += 1
            self._link.send(made(number, time.time_ns()))

    def close(self) -> None:
        self._ending.set()
        self._thread.join()
        self._link.close()
        self._queue.close()


def cloud(tmp_path: Path, endpoint: str, **arguments: str) -> Graph:
    given = {"camera_id": CAMERA, "listen": endpoint, **arguments}
    return Graph("cloud", given, log=tmp_path / "cloud.log", domain_id=DOMAIN)


def counted(probe: GraphProbe, topic: str) -> int:
    return probe.counts[topic]


def is_marked(contour: Any) -> bool:
    """Say whether the bar below the picture has the colour of the mark."""
    image = np.frombuffer(bytes(contour.image.data), np.uint8).reshape(contour.image.height, contour.image.width, 3)
    return bool((image[64:] == MARK).all(axis=2).sum() > 50)


def test_recording_that_is_played_into_a_live_camera_is_dropped_and_is_shown_only_when_the_camera_is_gone(
    tmp_path: Path,
) -> None:
    endpoint = own_endpoint()
    topics = ((REPORT, SceneReport), (CONTOUR, Reconstruction))
    with probe_diagnostics(*topics) as probe, cloud(tmp_path, endpoint) as graph:
        publisher = probe.node.create_publisher(
            OmegaMsg, OMEGA, QoSProfile(depth=64, reliability=ReliabilityPolicy.RELIABLE)
        )
        recorded = [
            omega_to_msg(made(n, 10**18 + n * NS_PER_S // 10, subjects=RECORDED_SUBJECT, sight=Sight.DARK))
            for n in range(1, 41)
        ]
        number = 0

        def play() -> None:
            """Publish the next of the recording, which says that it is live, over and over."""
            nonlocal number
            publisher.publish(recorded[number % len(recorded)])
            number += 1
            time.sleep(0.02)  # the publisher's rate, and no wait for something

        with closing(LiveEdge(tmp_path / "queue", endpoint)):
            probe.wait_for(lambda p: counted(p, REPORT) >= 10 or not graph.running, "live reports")
            before = counted(probe, REPORT)
            while counted(probe, REPORT) < before + 40:
                assert graph.running, graph.errors()
                play()
            dropped = wait_for_status(
                probe, INFERENCE, lambda s: int(values(s).get("dropped_replays", 0)) > 0, "dropped replays"
            )
            assert values(dropped)["live"] == "1"
            live: list[Any] = probe.messages(REPORT)[-40:]
            assert not any(report.replay for report in live)
            assert {report.clock_epoch for report in live} == {1}
            assert all(abs(report.key.stamp.sec - time.time()) < HANG_LIMIT_S for report in live)
            assert not any(report.events for report in live)
            assert not any(found.subject_id == RECORDED_SUBJECT for report in live for found in report.objects)
            assert not any(contour.replay or is_marked(contour) for contour in probe.messages(CONTOUR))
        end = time.monotonic() + HANG_LIMIT_S
        while not any(report.replay for report in probe.messages(REPORT)[-3:]):
            assert time.monotonic() < end, graph.errors()
            play()
        while not any(contour.replay for contour in probe.messages(CONTOUR)[-3:]):
            assert time.monotonic() < end, graph.errors()
            play()
        replayed = [report for report in probe.messages(REPORT) if report.replay]
        assert not any(report.events for report in replayed), "nobody asked for the events of a replay"
        assert all(report.caption.startswith("Replay. ") for report in replayed)
        shown = [contour for contour in probe.messages(CONTOUR) if contour.replay]
        assert all(is_marked(contour) for contour in shown)


@pytest.mark.parametrize("flagged", [True, False])
def test_replay_over_the_link_is_reported_at_any_speed_with_its_flag_and_its_events_where_asked_for(
    tmp_path: Path, flagged: bool
) -> None:
    """An edge plays a dark room ten times as fast as time, twice: the queue has the same stamps twice."""
    endpoint = own_endpoint()
    with (
        probe_diagnostics((REPORT, SceneReport)) as probe,
        cloud(tmp_path, endpoint, replay_events=str(flagged).lower()) as graph,
        closing(OmegaQueue(tmp_path / "queue")) as queue,
        EdgeLink(CAMERA, camera_end(CAMERA, endpoint)[0], queue, PictureSchedule()) as link,
    ):
        end = time.monotonic() + HANG_LIMIT_S
        while not link.connected:
            assert time.monotonic() < end and graph.running, graph.errors()
            time.sleep(0.05)  # the link tells nobody that it is connected
        for _ in range(2):
            for number in range(60):
                link.send(made(number + 1, 10**18 + number * NS_PER_S, replay=True, sight=Sight.DARK))
                time.sleep(1.0 / RATE_HZ)  # the rate of the edge
        probe.wait_for(
            lambda p: any(r.clock_epoch == 2 and r.key.frame_id >= 59 for r in p.messages(REPORT)), "two rounds"
        )
        reports: list[Any] = probe.messages(REPORT)
    assert all(report.replay for report in reports)
    for epoch in (1, 2):  # a live stream: a busy host loses some
        assert sum(report.clock_epoch == epoch for report in reports) >= MIN_OF_A_ROUND
    assert any(event.label == "cannot_see" for report in reports for event in report.events) is flagged


def write_bag(path: Path, count: int) -> None:
    store = Definitions().store_with("privcam_msgs/msg/Omega")
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection("/somewhere/else", "privcam_msgs/msg/Omega", typestore=store)
        for number in range(1, count + 1):
            stamp_ns = 10**18 + number * NS_PER_S // 10
            writer.write(connection, stamp_ns, cdr.encode(made(number, stamp_ns, sight=Sight.DARK)))


def test_bag_of_omega_that_is_played_in_a_loop_is_recognised_in_each_round(tmp_path: Path) -> None:
    write_bag(tmp_path / "bag", 20)
    (tmp_path / "bag" / "metadata.yaml").unlink()  # as after a recorder that was killed
    arguments = {"bag": str(tmp_path / "bag"), "camera_id": "again", "loop": "true", "topic": "somewhere/else"}
    graph = Graph("replay", arguments, log=tmp_path / "graph.log", domain_id=DOMAIN)
    with GraphProbe({"/again/cloud/report": SceneReport}) as probe, graph:
        probe.wait_for(
            lambda p: any(r.clock_epoch >= 4 for r in p.messages("/again/cloud/report")) or not graph.running,
            "4 rounds",
        )
        reports: list[Any] = probe.messages("/again/cloud/report")
    assert all(report.replay for report in reports), graph.errors()
    for epoch in (2, 3):  # of the first, reports may be lost while the probe is being found
        frames = [report.key.frame_id for report in reports if report.clock_epoch == epoch]
        assert frames == sorted(set(frames))
        assert len(frames) >= MIN_OF_A_ROUND
        assert any(event.label == "cannot_see" for r in reports if r.clock_epoch == epoch for event in r.events)
    log = graph.log.read_text(encoding="utf-8")
    assert "metadata.yaml is missing" in log
    assert "epoch 2 of recognition begins" in log
