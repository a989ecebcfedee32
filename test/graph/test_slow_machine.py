"""On a slow machine the graph gets slower. It does not lose every frame to its age, which would be nothing at all."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from harness.edge_parameters import write_edge_parameters
from harness.graph_probe import DOMAIN, HANG_LIMIT_S, own_endpoint
from privcam_bringup.graph import Graph
from privcam_bringup.graph_observer import Observer

CAMERA_ID = "slow"
FRAMES = 30
# Of the camera: every raw frame lives a second.
AS_SHIPPED = {"retention_s": 1.0, "in_flight": 3}
READERS = ("detector", "tracker", "pose", "eraser")
BUSY = "import os\nparent = os.getppid()\nwhile os.getppid() == parent:\n    sum(range(100_000))\n"


@pytest.fixture
def busy_cores() -> Iterator[None]:
    """Keep every core busy."""
    with ExitStack() as stack:
        for _ in range(os.cpu_count() or 1):
            process = subprocess.Popen([sys.executable, "-S", "-c", BUSY])
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield


@pytest.mark.usefixtures("busy_cores")
def test_three_times_slower_networks_beside_busy_cores_lose_fewer_frames_than_arrive(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PRIVCAM_NETWORK_REPEATS", "3")
    arguments = {
        "camera_id": CAMERA_ID,
        "source": str(clip),
        "endpoint": own_endpoint(),
        "edge_params_file": str(write_edge_parameters(tmp_path, camera=AS_SHIPPED | {"loop": True})),
    }
    graph = Graph("demo", arguments, log=tmp_path / "graph.log", domain_id=DOMAIN)
    with Observer(CAMERA_ID, DOMAIN) as observer, graph:
        arrived = observer.wait_for(lambda seen: len(seen.frames) >= FRAMES or not graph.running, HANG_LIMIT_S)
        assert arrived, "no Ω came any more"
        assert graph.running, graph.errors()
        lost = sum(int(observer.seen.latest(f"/{CAMERA_ID}/{node}", "overwritten")) for node in READERS)
        assert lost < FRAMES / 2
