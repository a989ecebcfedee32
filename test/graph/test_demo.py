"""`./privcam demo` as a user runs it: its results are complete, and other tools can read them."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest
from rosbags.highlevel import AnyReader

from harness.leaks import Image
from privcam_bringup.still_picture import HEADING_PX
from privcam_core.images.environment import decode_environment

RESULTS = ("contour.mp4", "still.png", "omega.mcap", "summary.md", "summary.json")
KEYS = {
    "frames",
    "frames_per_s",
    "people",
    "events",
    "omega_bytes_per_s",
    "latency_ms",
    "skipped_frames",
    "withheld_fraction",
}


def environments_in(bag: Path) -> list[Image]:
    """Return all environment pictures of a recorded bag."""
    found = []
    with AnyReader([bag]) as reader:
        for connection, _, data in reader.messages():
            if connection.msgtype == "privcam_msgs/msg/Omega":
                message: Any = reader.deserialize(data, connection.msgtype)
                if len(message.environment.png.data):
                    found.append(decode_environment(message.environment.png.data.tobytes())[0])
    return found


def stands_on_the_left(still: Path, picture: Image) -> bool:
    """Whether a still has exactly this picture on the left, below the heading."""
    sheet = cv2.imread(str(still))
    assert sheet is not None
    height, width = picture.shape[:2]
    return np.array_equal(sheet[HEADING_PX : HEADING_PX + height, :width], picture)


def test_demo_ends_well_and_leaves_all_results(demo: Any) -> None:
    assert demo.exit_code == 0, demo.output
    for name in RESULTS:
        assert (demo.out / name).exists(), f"{name} is missing"
    assert str(demo.out / "summary.md") in demo.output  # the user is told where to look


def test_demo_says_where_it_can_be_seen_live_and_its_console_ends_well(demo: Any) -> None:
    (address,) = set(re.findall(r"http://127\.0\.0\.1:\d+/", demo.output))
    assert json.loads((demo.out / "summary.json").read_text())["console"] == address
    log = (demo.out / "graph.log").read_text()
    assert f"console: {address}" in log
    assert "Traceback" not in log


def test_video_plays_in_other_players_and_shows_movement(demo: Any) -> None:
    with av.open(str(demo.out / "contour.mp4")) as container:
        stream = container.streams.video[0]
        assert stream.codec_context.name == "h264"
        pictures = [frame.to_ndarray(format="gray") for frame in container.decode(stream)]
        seconds = float(stream.duration * stream.time_base)
    assert len(pictures) > 20
    assert 6.0 < seconds < 20.0  # it was asked to run for 12 s, and the video runs at the speed of the clip
    change = [cv2.absdiff(a, b).max() for a, b in zip(pictures, pictures[10:], strict=False)]
    assert np.mean(np.array(change) > 60) > 0.8


def test_bag_is_read_by_another_library_and_explains_itself(demo: Any) -> None:
    with AnyReader([demo.out / "omega.mcap"]) as reader:  # without any definition of ours
        counts = {c.topic: c.msgcount for c in reader.connections}
        omegas = [
            reader.deserialize(data, connection.msgtype)
            for connection, _, data in reader.messages()
            if connection.topic == "/demo/cloud/omega"
        ]
    assert set(counts) == {"/demo/cloud/omega", "/demo/cloud/report", "/demo/cloud/contour_image/compressed"}
    assert min(counts.values()) > 0
    frame_ids = [omega.key.frame_id for omega in omegas]
    assert frame_ids == sorted(set(frame_ids))
    assert any(len(omega.poses.poses) for omega in omegas)


def test_summary_has_its_numbers_in_both_forms(demo: Any) -> None:
    summary = json.loads((demo.out / "summary.json").read_text())
    assert set(summary) >= KEYS
    assert summary["frames"] > 10
    assert summary["people"]["subjects"] >= 3
    assert summary["latency_ms"]["p95"] >= summary["latency_ms"]["p50"] > 0
    assert 0 < summary["omega_bytes_per_s"] < 10_000_000
    # A room is confirmed over frames, not seconds: busy cores may have confirmed nothing of it by then.
    assert summary["withheld_fraction"]["last"] == pytest.approx(1 - summary["confirmed_fraction"]["last"], abs=1e-3)
    assert 0 < summary["withheld_fraction"]["mean"] <= 1
    assert summary["gate_rejected"] == summary["cloud_rejected"] == 0
    text = (demo.out / "summary.md").read_text()
    assert f"| frames | {summary['frames']} |" in text


def test_still_shows_the_environment_and_no_person(demo: Any) -> None:
    assert any(stands_on_the_left(demo.out / "still.png", plate) for plate in environments_in(demo.out / "omega.mcap"))


def test_still_shows_the_raw_frame_only_when_asked(run_demo: Callable[..., Any], clip: Path) -> None:
    run = run_demo("--seconds", "2", "--composed", "--show-raw")
    assert run.exit_code == 0, run.output
    capture = cv2.VideoCapture(str(clip))
    frames = (capture.read()[1] for _ in range(int(capture.get(cv2.CAP_PROP_FRAME_COUNT))))
    assert any(stands_on_the_left(run.out / "still.png", frame) for frame in frames)


@pytest.mark.parametrize(
    ("options", "expected_text"),
    [
        (["--seconds", "0"], "--seconds 0: needs to be above 0"),
        (["--seconds", "soon"], "--seconds"),
        (["--sauce", "0"], "--sauce"),
    ],
)
def test_wrong_option_is_explained(run_demo: Callable[..., Any], options: list[str], expected_text: str) -> None:
    refused = run_demo(*options)
    assert refused.exit_code == 2
    assert expected_text in refused.output
    assert not refused.out.exists()


def test_source_that_cannot_be_opened_ends_the_demo_with_its_reason(
    run_demo: Callable[..., Any], tmp_path: Path
) -> None:
    source = tmp_path / "nowhere.mp4"
    refused = run_demo("--source", str(source), "--seconds", "5")
    assert refused.exit_code == 1
    assert f"source {source}: no such file" in refused.output
