"""After a process is killed with SIGKILL, the whole service comes back.

How soon it is back is measured by `./privcam bench --only recovery`, and not asserted here.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from privcam_msgs.msg import Omega, SceneReport
from rosbags.highlevel import AnyReader, AnyReaderError
from sensor_msgs.msg import CompressedImage

from harness.edge_parameters import write_edge_parameters
from harness.graph_probe import GraphProbe, own_endpoint, wait_until
from harness.recovery_measurement import unreadable
from privcam_bringup.launcher_process import LauncherProcess
from privcam_edge.frames.ring import prefix
from privcam_edge.frames.ring_file import SHM

CAMERA_ID = "phoenix"
EDGE = ["camera", "detector", "tracker", "pose", "eraser", "composer", "embedder", "omega", "bridge"]
OMEGA, REPORT, CONTOUR = (f"/{CAMERA_ID}/cloud/{name}" for name in ("omega", "report", "contour_image/compressed"))
# Two cores that also run 13 starting nodes have enough to do with this.
RATE_HZ = 5.0
RETENTION_S = 4.0


@dataclass(frozen=True)
class Running:
    """Both sides, each below a launcher of its own, a probe in the cloud, and the folder in which bags are made."""

    edge: LauncherProcess
    cloud: LauncherProcess
    probe: GraphProbe
    bags: Path

    def wait_for_fresh(self, topic: str, moment_s: float) -> None:
        """Wait for a message that tells of something captured after this moment: nothing that was on its way."""

        def fresh(probe: GraphProbe) -> bool:
            if not probe.received[topic]:
                return False
            newest = probe.received[topic][-1].message()
            stamp = newest.header.stamp if topic == CONTOUR else newest.key.stamp
            return bool(stamp.sec + stamp.nanosec / 1e9 > moment_s)

        self.probe.wait_for(fresh, f"{topic} of something captured after the kill")

    def kill(self, side: LauncherProcess, node: str) -> float:
        """Kill the process of a node; return when."""
        wait_until(lambda: node in side.nodes(), f"the process of {node}")
        return side.kill_node(node)


@pytest.fixture(scope="module")
def running(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("recovery")
    bags = folder / "bags"
    bags.mkdir()
    # A frame that was in a killed node keeps its place until its retention is over, so this one is not the longest.
    file = write_edge_parameters(folder, camera={"loop": True, "max_rate_hz": RATE_HZ, "retention_s": RETENTION_S})
    endpoint = own_endpoint()
    edge_arguments = {"source": str(clip), "params_file": str(file), "endpoint": endpoint, "camera_id": CAMERA_ID}
    cloud_arguments = {"listen": endpoint, "record": str(bags / "bag"), "camera_id": CAMERA_ID}
    edge = LauncherProcess("edge", edge_arguments, environment={}, log=folder / "edge.log")
    cloud = LauncherProcess("cloud", cloud_arguments, environment={}, log=folder / "cloud.log")
    with GraphProbe({OMEGA: Omega, REPORT: SceneReport, CONTOUR: CompressedImage}) as probe, cloud, edge:
        run = Running(edge, cloud, probe, bags)
        run.wait_for_fresh(REPORT, 0.0)
        yield run


def frame_memories() -> set[Path]:
    return set(SHM.glob(prefix(CAMERA_ID) + "*"))


@pytest.mark.parametrize("node", EDGE)
def test_killed_node_of_the_edge_is_started_again_and_omega_comes(running: Running, node: str) -> None:
    before = running.edge.nodes()
    killed_s = running.kill(running.edge, node)
    running.wait_for_fresh(OMEGA, killed_s)
    after = running.edge.nodes()
    # The other nodes stay up: only the killed one is another process.
    assert {name for name in EDGE if before[name].pid != after[name].pid} == {node}


@pytest.mark.parametrize(
    ("node", "service"), [("cloud_bridge", OMEGA), ("inference", REPORT), ("reconstruction", CONTOUR)]
)
def test_killed_node_of_the_cloud_is_started_again_and_its_service_comes(
    running: Running, node: str, service: str
) -> None:
    running.wait_for_fresh(service, running.kill(running.cloud, node))


def test_killed_camera_leaves_no_raw_frame_in_shared_memory(running: Running) -> None:
    wait_until(lambda: bool(frame_memories()), "the frame memory")
    memories = frame_memories()
    killed_s = running.kill(running.edge, "camera")
    wait_until(lambda: not memories & frame_memories(), "the guard to wipe the frame memory")
    running.wait_for_fresh(OMEGA, killed_s)


def test_killed_recorder_leaves_a_readable_bag_and_goes_on_in_another(running: Running) -> None:
    wait_until(lambda: not unreadable(running.bags) and recorded(running.bags) > 0, "something recorded")
    bags = set(running.bags.iterdir())
    killed_s = running.kill(running.cloud, "recorder")
    wait_until(recorded_after(running.bags, killed_s), "something recorded after the kill")
    assert unreadable(running.bags) == []
    assert bags < set(running.bags.iterdir())


def test_killed_edge_leaves_no_raw_frame_and_works_when_it_is_started_again(running: Running) -> None:
    wait_until(lambda: bool(frame_memories()), "the frame memory")
    running.edge.kill()
    wait_until(lambda: not frame_memories(), "the guard to wipe the frame memory")
    started_s = time.time()
    running.edge.start()
    running.wait_for_fresh(OMEGA, started_s)


def test_killed_cloud_leaves_readable_bags_and_works_when_it_is_started_again(running: Running) -> None:
    killed_s = running.cloud.kill()
    running.cloud.start()
    for service in (OMEGA, REPORT, CONTOUR):
        running.wait_for_fresh(service, killed_s)
    wait_until(recorded_after(running.bags, killed_s), "something recorded after the kill")
    assert unreadable(running.bags) == []


def recorded(bags: Path) -> int:
    """Return the number of messages in all bags that can be read now: one that is being written may end in a record."""
    total = 0
    for bag in bags.iterdir():
        with suppress(AnyReaderError), AnyReader([bag]) as reader:
            total += reader.message_count
    return total


def recorded_after(bags: Path, moment_s: float) -> Callable[[], bool]:
    """Return a function that says whether a bag holds something recorded after this moment."""

    def is_recorded() -> bool:
        newest = max(bags.iterdir(), key=lambda bag: bag.stat().st_ctime_ns)
        if unreadable(newest.parent):
            return False  # it is just being made
        with suppress(AnyReaderError), AnyReader([newest]) as reader:
            return bool(reader.message_count and reader.end_time > moment_s * 1e9)
        return False

    return is_recorded
