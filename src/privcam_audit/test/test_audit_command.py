"""`./privcam audit` on a clip, on a bag and on a graph, and what it says when it cannot run."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rosbags.rosbag2 import StoragePlugin, Writer

from privcam_audit.audit_command import CLEAN, UNUSABLE, main
from privcam_bringup.demo_clip import demo_clip
from privcam_bringup.graph import free_domain
from privcam_core.images.environment import FILL, encode_environment, environment_of
from privcam_core.types.omega import Embedding, Omega, PrivacyReport, SubjectPose, SyncKey, Verdict
from privcam_core.types.time import NS_PER_S
from privcam_link import cdr
from privcam_link.wire import TYPE_HASH, TYPE_NAME

START_NS = 1_700_000_000 * NS_PER_S
HEIGHT, WIDTH = 96, 128
CAMERA = "ward"


def omegas(count: int = 6) -> list[Omega]:
    """A grey room of which the left half is shown; somebody is there from the third frame on."""
    confirmed_mask = np.zeros((HEIGHT, WIDTH), np.bool_)
    confirmed_mask[:, : WIDTH // 2] = True
    plate = np.where(confirmed_mask[..., None], np.uint8(90), np.uint8(FILL)) * np.ones(3, np.uint8)
    keypoints = np.column_stack([np.linspace(30, 50, 17), np.linspace(20, 80, 17), np.ones(17)]).astype(np.float32)
    pose, first = SubjectPose(3, (28, 18, 52, 82), keypoints), encode_environment(plate, confirmed_mask)
    found = []
    for number in range(count):
        key = SyncKey(CAMERA, number + 1, START_NS + number * NS_PER_S)
        environment = environment_of(key, first, 1)
        report = PrivacyReport(0.1, 0.5, 0.0, Verdict.PASS, epsilon=float(number), delta=1e-5)
        z = Embedding("test", (4,), 1.0, bytes(4), 0.0, 1.0)
        visible = environment if number == 1 else environment.without_png()
        found.append(Omega(key, visible, [pose] if number > 1 else [], z, report))
    return found


def write_bag(path: Path, topic: str, msgtype: str, messages: list[bytes]) -> None:
    with Writer(path, version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection(topic, msgtype, msgdef="uint8 unused", rihs01=TYPE_HASH)
        for number, message in enumerate(messages):
            writer.write(connection, START_NS + number * NS_PER_S, message)


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bag") / "ward"
    messages = [cdr.encode(omega) for omega in omegas()]
    write_bag(path, f"/{CAMERA}/cloud/omega", TYPE_NAME, [*messages, b"no message"])
    return path


def report(out: Path) -> dict:
    return json.loads((out / "report.json").read_text(), parse_constant=pytest.fail)


def test_bag_is_searched_and_what_needs_raw_frames_is_said_to_be_missing(bag: Path, tmp_path: Path) -> None:
    assert main([str(bag), "--out", str(tmp_path)]) == CLEAN
    found = report(tmp_path)
    counts = found["counts"]
    assert (counts["frames"], counts["rejected"], counts["environments"], counts["subjects"]) == (6, 1, 1, 1)
    assert counts["frames_without_picture"] == 1
    assert (found["detector"]["faces"], found["detector"]["persons"]) == (0.0, 0.0)
    assert (found["budget"]["epsilon"], found["budget"]["delta"]) == (5.0, 1e-5)
    assert "raw" not in found["detector"]["faces_in"]
    assert found["leak"]["adaptive"] is None
    assert "needs the clip" in found["reasons"]["leak.adaptive"]
    assert not (tmp_path / "detectors.png").exists()
    assert "6 Ω were read" in (tmp_path / "report.md").read_text()


def test_clip_of_people_gives_a_report_and_keeps_no_picture(tmp_path: Path) -> None:
    clip = demo_clip(print)
    arguments = [str(clip), "--seconds", "2", "--crop", "0,100,320,340", "--out", str(tmp_path)]
    assert main([*arguments, "--only", "leak,environment,interference,budget,reid"]) == CLEAN
    found = report(tmp_path)
    assert found["clips"]["vtest"]["frames"] == 20
    assert (found["clips"]["vtest"]["width"], found["clips"]["vtest"]["height"]) == (320, 240)
    assert found["budget"]["epsilon"] > 0
    # In two seconds nothing is confirmed, so nothing is shown; the baselines show everybody.
    assert (found["leak"]["adaptive"], found["leak"]["locked"]) == (0.0, None)
    assert "was commissioned" in (tmp_path / "report.md").read_text()
    assert "commission a plate" in found["reasons"]["leak.locked"]
    assert min(found["leak"][mode] for mode in ("mask_only", "blur", "pixelate")) > 0.01
    assert found["interference"]["fraction"] == 1.0
    assert found["detector"]["faces"] is None
    assert "--only" in found["reasons"]["detector.faces"]
    assert found["environment"]["confirmed_s"] is None
    assert "two subjects" in found["reasons"]["reid.raw"]
    labels = json.loads((tmp_path / "labels_vtest.json").read_text())
    assert sum(len(frame["boxes"]) for frame in labels["frames"]) > 0
    assert {path.suffix for path in tmp_path.rglob("*.*")} <= {".json", ".md", ".npz", ".png"}


def test_graph_is_listened_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rclpy = pytest.importorskip("rclpy")
    from privcam_ros.conversions import omega_to_msg

    monkeypatch.setenv("ROS_DOMAIN_ID", str(free_domain()))
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    with publishing(rclpy, [omega_to_msg(omega) for omega in omegas()]):
        assert main(["--live", CAMERA, "--seconds", "3", "--only", "counts,budget", "--out", str(tmp_path)]) == CLEAN
    found = report(tmp_path)
    assert found["counts"]["frames"] > 0
    assert found["graph"]["topics"][f"/{CAMERA}/cloud/omega"] == [TYPE_NAME]
    assert found["graph"]["picture_topics"] == []


def publishing(rclpy, messages):
    from contextlib import contextmanager

    from privcam_msgs.msg import Omega as OmegaMessage

    @contextmanager
    def publisher() -> Iterator[None]:
        context, done = rclpy.Context(), threading.Event()
        rclpy.init(context=context)
        node = rclpy.create_node("stand_in", context=context)
        out = node.create_publisher(OmegaMessage, f"/{CAMERA}/cloud/omega", 64)

        def publish() -> None:
            for number in range(10**6):
                if done.wait(0.05):
                    return
                out.publish(messages[number % len(messages)])

        thread = threading.Thread(target=publish)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            node.destroy_node()
            rclpy.try_shutdown(context=context)

    return publisher()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "give clips"),
        (["missing.mp4"], "no such clip or bag: missing.mp4"),
        (["{bag}", "--live", "ward"], "give clips"),
        (["{bag}", "{bag}"], "is audited alone"),
        (["{bag}", "--labels", "x.json"], "--labels: only for clips"),
        (["{bag}", "--only", "leak"], "--only leak: here there are counts, detector, budget"),
        (["{text}", "--only", "everything"], "--only everything: here there are leak"),
        (["{text}", "--crop", "1,2"], "four whole numbers"),
        (["{text}", "--seconds", "0"], "0 is not a number of seconds"),
        (["{text}", "--faces", "nowhere"], "no such folder"),
        (["{folder}"], "no clip in this folder"),
        (["--live", "Ward 3"], "is not 1 to 64 of a-z"),
    ],
)
def test_wrong_use_is_explained(
    arguments: list[str], said: str, bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "folder").mkdir()
    places = {"bag": bag, "text": tmp_path / "text.mp4", "folder": tmp_path / "folder"}
    with pytest.raises(SystemExit) as stopped:
        main([argument.format(**places) for argument in arguments] + ["--out", str(tmp_path / "out")])
    assert stopped.value.code == UNUSABLE
    assert said in capsys.readouterr().err


def test_what_cannot_be_read_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "text.mcap").write_text("no bag")
    write_bag(tmp_path / "other", "/text", "std_msgs/msg/String", [b"x"])
    write_bag(tmp_path / "broken", "/ward/cloud/omega", TYPE_NAME, [b"x"])
    newer = cdr.encode(replace(omegas(1)[0], poses=[]))
    write_bag(tmp_path / "cut", "/ward/cloud/omega", TYPE_NAME, [newer[:40]])
    for name, why in (
        ("text.mp4", "text.mp4"), ("text.mcap", "text.mcap"), ("other", "has no privcam_msgs/msg/Omega; it has /text"),
        ("broken", "no Ω came"), ("cut", "no Ω came"),
    ):  # fmt: skip
        assert main([str(tmp_path / name), "--out", str(tmp_path / "out")]) == UNUSABLE
        assert why in capsys.readouterr().err
    assert not (tmp_path / "out" / "report.json").exists()


def test_a_scenario_that_does_not_exist_is_named_with_those_that_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = tmp_path / "clip.mp4"
    clip.touch()
    assert main([str(clip), "--scenarios", "earthquake", "--out", str(tmp_path)]) == UNUSABLE
    said = capsys.readouterr().err
    assert "earthquake" in said
    assert "lost_falls" in said


def test_a_clip_after_scenarios_is_a_clip_and_not_a_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = tmp_path / "clip.mp4"
    clip.touch()
    assert main(["--scenarios", str(clip), "--out", str(tmp_path)]) == UNUSABLE
    assert "looking for people" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["--scenarios", str(clip), "--only", "leak"])
