"""Mode locked as an operator uses it: commission the empty room, approve it by its digest, start the graph."""

import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
from privcam_msgs.msg import Environment

from harness.edge_parameters import write_edge_parameters
from harness.graph_probe import DOMAIN, GraphProbe, own_endpoint
from privcam_bringup.graph import Graph
from privcam_core.images.environment import decode_environment

WIDTH, HEIGHT, RATE_HZ, SECONDS = 320, 240, 10, 14
# Against a command that hangs.
HANG_LIMIT_S = 300.0


def record_empty_room(path: Path) -> Path:
    rows, columns = np.linspace(60, 190, HEIGHT)[:, None], np.linspace(0, 40, WIDTH)[None]
    room = np.repeat((rows + columns)[..., None], 3, axis=2)
    random = np.random.default_rng(3)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), RATE_HZ, (WIDTH, HEIGHT))
    for _ in range(RATE_HZ * SECONDS):
        writer.write(np.clip(room + random.normal(0, 1, room.shape), 0, 255).astype(np.uint8))
    writer.release()
    return path


def commission(graph: Graph, *options: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "privcam_cli",
        "commission",
        "--camera-id",
        "ward",
        "--operator",
        "nurse",
        *options,
    ]
    environment = {**os.environ, **graph.environment}
    return subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=HANG_LIMIT_S,
        check=False,
    )


def test_the_graph_sends_exactly_the_plate_that_was_approved(tmp_path: Path) -> None:
    room = record_empty_room(tmp_path / "room.avi")
    arguments = {
        "camera_id": "ward",
        "source": str(room),
        "endpoint": own_endpoint(),
        "params_file": str(write_edge_parameters(tmp_path, eraser={"mode": "locked"})),
        "lossless": "true",
        "respawn": "false",
    }
    graph = Graph("edge", arguments, log=tmp_path / "graph.log", domain_id=DOMAIN)

    made = commission(graph, "--source", str(room), "--out", str(tmp_path / "plate"))
    digest = re.search(r"digest ([0-9a-f]{64})", made.stdout + made.stderr)
    assert digest is not None, made.stderr
    assert made.returncode == 1  # a pending plate, not approved yet
    assert not (graph.state / "plates/ward/plate.json").exists()
    approved = commission(graph, "--approve", digest[1])
    assert approved.returncode == 0, approved.stderr
    png = (graph.state / "plates/ward/plate.png").read_bytes()
    assert decode_environment(png)[1].mean() > 0.9

    with GraphProbe({"/ward/environment": Environment}) as probe, graph:
        probe.wait_for(lambda s: s.counts["/ward/environment"] >= 20 or not graph.running, "environments")
        assert probe.counts["/ward/environment"] >= 20, graph.errors()
        environments = probe.messages("/ward/environment")
    assert {bytes(one.sha256).hex() for one in environments} == {digest[1]}
    # The picture is repeated every second of the stream; the first one may come before the probe is connected.
    assert {bytes(one.png.data) for one in environments} - {b""} == {png}
