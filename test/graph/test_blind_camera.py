"""Whoever watches in the cloud is told that a camera cannot see, and why: a dark room, and a picture that froze."""

from pathlib import Path

import cv2
import numpy as np
from video_files import write_clip

from harness.edge_parameters import write_edge_parameters
from harness.graph_probe import DOMAIN, HANG_LIMIT_S, own_endpoint
from privcam_bringup.graph import Graph
from privcam_bringup.graph_observer import Observer
from privcam_core.events.scene_report import CANNOT_SEE
from privcam_core.types.sight import Sight, describe_sight

CAMERA_ID = "blind"
# Frames at 10 Hz: by day, in the dark, by day, and then the last one again and again.
DAY, DARK, FROZEN = 40, 40, 150


def film(path: Path) -> Path:
    random = np.random.default_rng(3)
    room = cv2.GaussianBlur(np.kron(random.integers(20, 235, (15, 20, 1)), np.ones((16, 16, 3))), (0, 0), 1.0)
    noise = random.normal(0, 2, (2 * DAY + DARK, *room.shape[:2], 1))
    light = np.repeat([1.0, 0.08, 1.0], [DAY, DARK, DAY])
    frames = [np.clip(one * room + speck, 0, 255).astype(np.uint8) for one, speck in zip(light, noise, strict=True)]
    return write_clip(path, [*frames, *[frames[-1]] * FROZEN], options={"crf": "18"})


def test_cloud_reports_a_dark_room_and_then_a_frozen_picture(tmp_path: Path) -> None:
    arguments = {
        "camera_id": CAMERA_ID,
        "source": str(film(tmp_path / "film.mkv")),
        "lossless": "true",
        "endpoint": own_endpoint(),
        "edge_params_file": str(write_edge_parameters(tmp_path)),
    }
    graph = Graph("demo", arguments, log=tmp_path / "graph.log", domain_id=DOMAIN)
    with Observer(CAMERA_ID, DOMAIN) as observer, graph:
        observer.wait_for(lambda _: not graph.running, HANG_LIMIT_S)
        told = [event.evidence for event in observer.seen.events.values() if event.label == CANNOT_SEE]
    assert not graph.running, graph.errors()
    assert len(told) == 2, told
    assert describe_sight(Sight.DARK) in told[0] and describe_sight(Sight.FROZEN) in told[1]
