"""Input that a node cannot use: the node names the input and the remedy, and publishes nothing from it."""

import errno
import os
import resource
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any

import cv2
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticStatus
from privcam_msgs.msg import EmbeddingSeal, FrameRef, Seal, SealedMessage
from privcam_msgs.msg import Omega as OmegaMsg
from privcam_msgs.msg import SyncKey as SyncKeyMsg
from rclpy.serialization import serialize_message
from rosbags.highlevel import AnyReader
from sensor_msgs.msg import CompressedImage, Image

from harness.graph_probe import (
    KEY_FILE,
    GraphProbe,
    own_endpoint,
    probe_diagnostics,
    started,
    values,
    wait_for_status,
    wait_until,
)
from privcam_core.images.environment import encode_environment, environment_of
from privcam_core.models.cache import read_model
from privcam_core.models.manifest import cache_folder, load_manifest
from privcam_core.types.omega import Omega, PrivacyReport, SyncKey, Verdict
from privcam_edge.embedding.bottleneck_weights import blank_embedding
from privcam_edge.link.sealing import OmegaSealer, SealKeys
from privcam_ros.conversions import omega_to_msg
from privcam_ros.message_sealing import Sealer
from privcam_ros.node import STREAM
from privcam_ros.seal_conversions import embedding_seal_to_msg, seal_to_msg

FRAMES = ("/cam/frames", SealedMessage)
# Says that the frame of a κ has left the graph.
GiveBack = Callable[[SyncKeyMsg], None]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "output.log"


# What the camera cannot open


def test_missing_video_ends_the_camera_and_is_named(tmp_path: Path, log: Path) -> None:
    video = tmp_path / "nowhere.mp4"
    with started("privcam_edge", "camera_node", log, source=str(video)) as camera:
        assert camera.wait() == 1
    assert f"source {video}: no such file" in camera.output


def test_text_that_is_called_a_video_ends_the_camera_and_is_named(tmp_path: Path, log: Path) -> None:
    video = tmp_path / "letter.mp4"
    video.write_text("Dear camera,\n" * 100)
    with started("privcam_edge", "camera_node", log, source=str(video)) as camera:
        assert camera.wait() == 1
    assert f"source {video}: is not a video that FFmpeg can decode; check that it plays" in camera.output


def test_folder_in_place_of_a_video_ends_the_camera_and_is_named(tmp_path: Path, log: Path) -> None:
    with started("privcam_edge", "camera_node", log, source=str(tmp_path)) as camera:
        assert camera.wait() == 1
    assert f"source {tmp_path}: is no file, but a folder, a pipe or a device" in camera.output


def test_truncated_video_is_used_up_to_where_it_breaks_off_and_says_so(clip: Path, tmp_path: Path, log: Path) -> None:
    video = tmp_path / "torn.avi"
    # 15 s of video, so that a listener is found on a busy machine before it breaks off.
    video.write_bytes(clip.read_bytes()[:1_500_000])
    with probe_diagnostics(FRAMES) as probe:
        with started("privcam_edge", "camera_node", log, source=str(video)) as camera:
            assert camera.wait() == 1
        probe.wait_for(lambda s: s.counts["/cam/frames"] > 0, "the frames before the break")
    assert f"source {video}: breaks off after" in camera.output
    assert "Traceback" not in camera.output


def test_video_without_a_single_whole_frame_ends_the_camera_and_is_named(clip: Path, tmp_path: Path, log: Path) -> None:
    video = tmp_path / "stump.avi"
    video.write_bytes(clip.read_bytes()[:4000])
    with started("privcam_edge", "camera_node", log, source=str(video)) as camera:
        assert camera.wait() == 1
    assert f"source {video}: " in camera.output


def test_camera_that_does_not_exist_is_tried_again_and_again(log: Path) -> None:
    with (
        probe_diagnostics(FRAMES) as probe,
        started("privcam_edge", "camera_node", log, source="99") as camera,
    ):
        status = wait_for_status(
            probe, "/cam/camera", lambda s: int(values(s).get("source_errors", 0)) >= 2, "a second attempt"
        )
        assert status.level == DiagnosticStatus.ERROR
        assert "source /dev/video99: no such camera; cameras here: " in status.message
        assert camera.running
        assert camera.interrupt() == 0
    assert "next attempt in" in camera.output
    assert probe.counts["/cam/frames"] == 0


# A camera in the network that goes away and comes back


class MjpegCamera:
    """An HTTP camera: pictures in one endless multipart answer, until it is switched off."""

    BOUNDARY = "picture"

    def __init__(self, port: int = 0) -> None:
        good, jpeg = cv2.imencode(".jpg", np.random.default_rng(1).integers(0, 255, (120, 160, 3), np.uint8))
        assert good
        off = self._off = Event()

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", f"multipart/x-mixed-replace;boundary={MjpegCamera.BOUNDARY}")
                self.end_headers()
                head = f"--{MjpegCamera.BOUNDARY}\r\nContent-Type: image/jpeg\r\nContent-Length: {len(jpeg)}\r\n\r\n"
                try:
                    while not off.wait(0.05):
                        self.wfile.write(head.encode() + jpeg.tobytes() + b"\r\n")
                except OSError:
                    pass  # the viewer has hung up

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self.port = self._server.server_port
        self._thread = Thread(target=self._server.serve_forever)
        self._thread.start()

    def switch_off(self) -> None:
        """End all streams and stop to listen."""
        self._off.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def test_stream_that_goes_away_is_reported_and_taken_up_again(log: Path, tmp_path: Path) -> None:
    source = MjpegCamera()
    credentials = tmp_path / "credentials"
    credentials.touch(mode=0o600)
    credentials.write_text("me:secret\n")
    try:
        with (
            probe_diagnostics(FRAMES) as probe,
            started(
                "privcam_edge",
                "camera_node",
                log,
                source=f"http://127.0.0.1:{source.port}/",
                source_credentials=str(credentials),
            ) as camera,
        ):
            probe.wait_for(lambda s: s.counts["/cam/frames"] > 0, "frames of the stream")
            source.switch_off()
            lost = wait_for_status(probe, "/cam/camera", lambda s: s.message.startswith("lost: "), "the loss")
            assert lost.level == DiagnosticStatus.ERROR
            assert f"127.0.0.1:{source.port}" in lost.message
            before = probe.counts["/cam/frames"]
            source = MjpegCamera(source.port)
            probe.wait_for(lambda s: s.counts["/cam/frames"] > before, "frames after the return")
            again = wait_for_status(probe, "/cam/camera", lambda s: s.message == "capturing", "the return")
            assert again.level == DiagnosticStatus.OK
            assert camera.interrupt() == 0
        published = camera.output + "".join(str(one.message()) for one in probe.all_messages())
        assert "secret" not in published
    finally:
        source.switch_off()


# Pictures on a topic that are not what the camera node takes


def picture(encoding: str, height: int, width: int, bytes_per_pixel: int, data: int | None = None) -> Image:
    """Return a picture message; data: number of bytes if not what its size needs."""
    message = Image(height=height, width=width, encoding=encoding, step=width * bytes_per_pixel)
    message.header.stamp.sec = int(time.time())
    message.data = bytes(height * width * bytes_per_pixel if data is None else data)
    return message


@pytest.fixture(scope="module")
def topic_camera(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[GraphProbe, Any, GiveBack]]:
    """Return a probe, a publisher of pictures to a camera node that takes them from a topic, and what ends a frame."""
    log = tmp_path_factory.mktemp("topic") / "output.log"
    with (
        probe_diagnostics(("/topic/frames", SealedMessage)) as probe,
        started("privcam_edge", "camera_node", log, remap={"__ns": "/topic"}, source="topic") as camera,
    ):
        publisher = probe.node.create_publisher(Image, "/topic/image_raw", STREAM)
        done = probe.node.create_publisher(SealedMessage, "/topic/done", STREAM)
        sealer = Sealer(KEY_FILE.key, "/topic/done", SyncKeyMsg.__name__)

        def give_back(key: SyncKeyMsg) -> None:
            done.publish(SealedMessage(data=sealer.seal(serialize_message(key))))

        for one in (publisher, done):
            wait_until(lambda one=one: one.get_subscription_count() > 0, "the camera node to listen")
        probe.wait_for(lambda s: s.counts["/diagnostics"] > 0, "the camera node to report")
        yield probe, publisher, give_back
        assert camera.running
        assert camera.interrupt() == 0


@pytest.mark.parametrize(
    ("bad", "expected_text"),
    [
        (picture("nv21", 48, 64, 4), "encoding 'nv21' is not one of bgr8, "),
        (picture("8UC4", 48, 64, 4), "encoding '8UC4' is not one of"),
        (picture("32FC1", 48, 64, 4), "encoding '32FC1' is not one of"),
        (picture("16UC3", 48, 64, 6), "encoding '16UC3' is not one of"),
        (picture("", 48, 64, 3), "encoding '' is not one of"),
        (picture("bgr8", 0, 0, 3), "dropped: "),
        (picture("bgr8", 48, 0, 3), "dropped: "),
        (picture("bgr8", 48, 64, 3, data=100), "dropped: "),
    ],
    ids=["nv21", "8UC4", "32FC1", "16UC3", "nameless", "empty", "no width", "torn"],
)
def test_picture_of_the_wrong_kind_is_dropped_counted_and_explained(
    topic_camera: tuple[GraphProbe, Any, GiveBack], bad: Image, expected_text: str
) -> None:
    probe, publisher, give_back = topic_camera
    frames = probe.counts["/topic/frames"]
    reports = [status for one in probe.messages("/diagnostics") for status in one.status]
    errors = int(values(reports[-1]).get("errors", 0))
    publisher.publish(bad)
    status = wait_for_status(
        probe,
        "/topic/camera",
        lambda s: int(values(s).get("errors", 0)) == errors + 1,
        f"the count of {bad.encoding!r}",
    )
    assert status.level == DiagnosticStatus.ERROR
    assert "image_raw: " in status.message
    assert expected_text in status.message
    # A good one goes through, and it is the only one that did.
    publisher.publish(picture("bgr8", 48, 64, 3))
    probe.wait_for(lambda s: s.counts["/topic/frames"] > frames, "the good picture")
    last = probe.opened("/topic/frames", FrameRef)[-1]
    assert probe.counts["/topic/frames"] == frames + 1
    assert (last.height, last.width, last.encoding) == (48, 64, "bgr8")
    # It has left the graph, so there is a place for the next one.
    give_back(last.key)


# Models


def test_model_with_a_wrong_hash_stops_the_detector(tmp_path: Path, log: Path) -> None:
    models = tmp_path / "models"
    models.mkdir()
    for file in cache_folder().glob("nanodet.*"):
        shutil.copyfile(file, models / file.name)
    entry = load_manifest(models).entry("nanodet")
    whole = bytearray(read_model(entry, models))
    whole[len(whole) // 2] ^= 1
    (models / "nanodet.onnx").write_bytes(whole)
    expected = sha256((cache_folder() / "nanodet.onnx").read_bytes()).hexdigest()
    with (
        probe_diagnostics(("/cam/detections", SealedMessage)) as probe,
        started("privcam_edge", "detector_node", log, environment={"PRIVCAM_MODELS": str(models)}) as detector,
    ):
        assert detector.wait() == 1
    assert str(models / "nanodet.onnx") in detector.output
    assert f"expected {expected}" in detector.output
    assert f"found    {sha256(whole).hexdigest()}" in detector.output
    assert "Run: ./privcam models nanodet" in detector.output
    assert probe.counts["/cam/detections"] == 0


# The link


def omega(frame_id: int) -> Omega:
    key = SyncKey("cam", frame_id, time.time_ns())
    png = encode_environment(np.full((48, 64, 3), 90, np.uint8), np.ones((48, 64), np.bool_))
    return Omega(
        key,
        environment_of(key, png, 1),
        [],
        blank_embedding(0.25),
        PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS),
    )


def test_bridge_without_a_cloud_warns_and_goes_on(log: Path) -> None:
    # As many as a subscriber holds: they come in one go.
    count, endpoint = STREAM.depth, own_endpoint()
    with (
        probe_diagnostics() as probe,
        started("privcam_edge", "bridge_node", log, camera_id="cam", endpoint=endpoint) as bridge,
    ):
        sealer = OmegaSealer(SealKeys.derived(KEY_FILE.key.derive))
        publisher = probe.node.create_publisher(OmegaMsg, "/cam/omega", STREAM)
        seals = probe.node.create_publisher(Seal, "/cam/seals", STREAM)
        embedding_seals = probe.node.create_publisher(EmbeddingSeal, "/cam/embedding_seals", STREAM)
        publishers = publisher, seals, embedding_seals
        wait_until(lambda: all(one.get_subscription_count() > 0 for one in publishers), "the bridge to listen")
        for frame_id in range(1, count + 1):
            made = omega(frame_id)
            sealed = sealer.seal(made, sha256(made.environment.png).digest())
            seals.publish(seal_to_msg(sealed.published))
            embedding_seals.publish(embedding_seal_to_msg(sealed.embedded))
            publisher.publish(omega_to_msg(made))
        # All of them were queued although no cloud received one: the bridge did not wait for the network.
        status = wait_for_status(probe, "/cam/bridge", lambda s: values(s).get("queued") == str(count), "all Ω")
        assert values(status)["passed"] == str(count)
        assert values(status)["sent"] == "0"
        assert status.level == DiagnosticStatus.WARN
        reason = "nothing listens there; start the cloud, compare address and port"
        assert status.message == f"no cloud at {endpoint}: {reason}: trying again and again"
        assert bridge.running
        assert bridge.interrupt() == 0


@pytest.mark.parametrize(
    ("package", "parameter"), [("privcam_edge", "endpoint"), ("privcam_cloud", "listen")], ids=["edge", "cloud"]
)
@pytest.mark.parametrize("endpoint", ["tcp/192.0.2.7:7447", "tcp/0.0.0.0:7447"])
def test_endpoint_that_others_could_reach_is_refused(package: str, parameter: str, endpoint: str, log: Path) -> None:
    with started(package, "bridge_node", log, **{parameter: endpoint}) as bridge:
        assert bridge.wait() == 1
    assert repr(endpoint) in bridge.output
    assert "is not a loopback address" in bridge.output
    assert "make them with `privcam keys`" in bridge.output


def test_second_cloud_on_the_same_endpoint_is_refused(log: Path, tmp_path: Path) -> None:
    endpoint = own_endpoint()
    with probe_diagnostics() as probe, started("privcam_cloud", "bridge_node", log, listen=endpoint) as first:
        probe.wait_for(lambda s: s.counts["/diagnostics"] > 0, "the first cloud")
        with started("privcam_cloud", "bridge_node", tmp_path / "second.log", listen=endpoint) as second:
            assert second.wait() == 1
        assert endpoint in second.output
        assert "is another cloud running?" in second.output
        assert first.running


# Parameters


@pytest.mark.parametrize(
    ("executable", "parameters", "expected_text"),
    [
        ("eraser_node", {"mod": "mask_only"}, "/cam/eraser: unknown parameter mod; it takes: door_zones, evidence"),
        ("eraser_node", {"mode": "blur"}, "parameter mode is 'blur'; it must be one of adaptive, locked"),
        ("camera_node", {"source": "topic", "slots": 1000}, "parameter slots is 1000; it must be a int, in [2, 64]"),
        ("camera_node", {"source": "topic", "retention_s": "long"}, "parameter retention_s is 'long'; it must be a"),
        ("omega_node", {"join_timeout_s": -1.0}, "parameter join_timeout_s is -1.0; it must be a float, in [0.05, 5]"),
    ],
    ids=["unknown name", "unknown choice", "too large", "wrong type", "negative"],
)
def test_wrong_parameter_stops_the_node_and_says_what_is_right(
    executable: str, parameters: dict[str, object], expected_text: str, log: Path
) -> None:
    with started("privcam_edge", executable, log, **parameters) as node:
        assert node.wait() == 1
    assert expected_text in node.output


# The recorder on a full disk

SMALL_DISK_BYTES = 1 << 20
PICTURE_BYTES = 64 << 10


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[tuple[Path, bool]]:
    """Return a folder on a disk of 1 MiB and True; where none can be mounted, a plain folder and False."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SMALL_DISK_BYTES}", "tmpfs", str(folder)]
    mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True, check=False).returncode == 0
    yield folder, mounted
    if mounted:
        subprocess.run(["umount", str(folder)], check=True)


def test_recorder_on_a_full_disk_ends_and_leaves_what_it_has(small_disk: tuple[Path, bool], log: Path) -> None:
    folder, is_disk = small_disk
    bag = folder / "bag"

    random = np.random.default_rng(1)
    with (
        probe_diagnostics() as probe,
        started("privcam_cloud", "recorder_node", log, path=str(bag), flush_s=0.1) as recorder,
    ):
        if not is_disk:
            resource.prlimit(recorder.pid, resource.RLIMIT_FSIZE, (SMALL_DISK_BYTES, SMALL_DISK_BYTES))
        publisher = probe.node.create_publisher(CompressedImage, "/cam/contour_image/compressed", STREAM)
        wait_until(lambda: publisher.get_subscription_count() > 0, "the recorder to listen")

        def record_more() -> bool:
            publisher.publish(CompressedImage(format="jpeg", data=random.bytes(PICTURE_BYTES)))
            return not recorder.running

        wait_until(record_more, "the recorder to end")
        assert recorder.wait() == 1
    reason = os.strerror(errno.ENOSPC if is_disk else errno.EFBIG)
    assert f"the recording at {bag} ends: {reason}; " in recorder.output
    assert "make room and start the recorder again" in recorder.output
    with AnyReader([bag]) as reader:
        pictures = [reader.deserialize(data, c.msgtype) for c, _, data in reader.messages()]
    assert pictures
    assert all(len(one.data) == PICTURE_BYTES for one in pictures)


def test_recorder_without_a_place_to_write_ends_and_names_it(tmp_path: Path, log: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    path = tmp_path / "file" / "bag"
    with started("privcam_cloud", "recorder_node", log, path=str(path)) as recorder:
        assert recorder.wait() == 1
    assert f"{path.parent} is no folder; make it, mount it" in recorder.output
    assert "give another path" in recorder.output


# Modes that need a person's word first


def test_mode_mask_only_does_not_start_without_the_word_that_leaks_are_accepted(log: Path) -> None:
    with started("privcam_edge", "eraser_node", log, mode="mask_only") as eraser:
        assert eraser.wait() == 1
    assert "mode: mask_only leaks persons; set i_accept_leaks to true" in eraser.output


def test_mode_locked_does_not_start_without_an_approved_plate(log: Path) -> None:
    with started("privcam_edge", "eraser_node", log, mode="locked") as eraser:
        assert eraser.wait() == 1
    assert "commission" in eraser.output
    assert "Traceback" not in eraser.output
