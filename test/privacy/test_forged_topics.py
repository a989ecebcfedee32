"""Another user of the host forges, replays and floods the raw topics of a running edge: nothing of it is believed."""

import json
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import pytest
from privcam_msgs.msg import Environment, Omega, RawPoseArray, SealedMessage, SyncKey
from rclpy.serialization import serialize_message

from harness.edge_parameters import write_edge_parameters
from harness.forger import FIRST_FORGED, TOPICS
from harness.graph_probe import (
    DOMAIN,
    GraphProbe,
    own_endpoint,
    probe_diagnostics,
    values,
    wait_for_status,
    wait_until,
)
from harness.other_user import NOBODY, forger_environment
from privcam_bringup.graph import Graph
from privcam_bringup.launcher_process import node_name
from privcam_ros.message_sealing import Sealer
from privcam_ros.middleware.shared_memory_files import SHARED_MEMORY
from privcam_ros.start_key import KEY_BYTES, StartKey

CAMERA_ID = "besieged"
HARNESS = Path(__file__).resolve().parents[1]
ROUNDS = 5
# Ω that have to come while the attack goes on.
OMEGAS = 5
READERS = ("detector", "tracker", "pose", "eraser")


@dataclass
class Attacked:
    """A running edge beside a forger.

    before: Ω that had come when the forger was at work. files: in shared memory, of the middleware, that the edge maps.
    reports: what the forger printed.
    """

    probe: GraphProbe
    key: StartKey
    before: int
    files: set[str] = field(default_factory=set)
    reports: list[dict[str, Any]] = field(default_factory=list)


def write_foreign(folder: Path, key: StartKey) -> None:
    """Write messages that were sealed for another camera and another topic of this start, and in another start."""
    folder.mkdir()
    folder.chmod(0o755)
    other = StartKey(os.urandom(KEY_BYTES))
    for topic, kind in TOPICS.items():
        message = kind()
        message.key.camera_id, message.key.frame_id = CAMERA_ID, FIRST_FORGED
        for number, sealer in enumerate((
            Sealer(key, f"/other/{topic}", kind.__name__),
            Sealer(key, f"/{CAMERA_ID}/other", kind.__name__),
            Sealer(key, f"/{CAMERA_ID}/{topic}", "Other"),
            Sealer(other, f"/{CAMERA_ID}/{topic}", kind.__name__),
            Sealer(StartKey.public(), f"/{CAMERA_ID}/{topic}", kind.__name__),
        )):  # fmt: skip
            file = folder / f"{topic}.{number}"
            file.write_bytes(sealer.seal(serialize_message(message)))
            file.chmod(0o644)


@pytest.fixture(scope="module")
def public() -> Iterator[Path]:
    """Return a folder that other users can read. Folders below the one of pytest are not."""
    with tempfile.TemporaryDirectory(prefix="privcam_forger_") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def middleware_files() -> set[str]:
    """Return the names of the shared memory files that the nodes of the edge map."""
    nodes = [child for child in psutil.Process().children(recursive=True) if node_name(child)]
    maps = [Path(f"/proc/{node.pid}/maps").read_text(encoding="utf-8") for node in nodes]
    return set(re.findall(r"/dev/shm/(fastrtps_\w+)", "\n".join(maps)))


@pytest.fixture(scope="module")
def attacked(clip: Path, public: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    folder = tmp_path_factory.mktemp("forged")
    arguments = {
        "camera_id": CAMERA_ID,
        "source": str(clip),
        "endpoint": own_endpoint(),
        "evidence": "transit",
        "respawn": "false",
        "params_file": str(write_edge_parameters(folder, camera={"loop": True})),
    }
    graph = Graph("edge", arguments, log=folder / "edge.log", domain_id=DOMAIN)
    write_foreign(public / "foreign", graph.start_key_of("privcam_edge"))
    topics = [(f"/{CAMERA_ID}/{name}", SealedMessage) for name in TOPICS]
    topics += [(f"/{CAMERA_ID}/environment", Environment), (f"/{CAMERA_ID}/omega", Omega)]
    environment = {**os.environ, **forger_environment(public)}
    with probe_diagnostics(*topics) as probe, graph:
        count = lambda: probe.counts[f"/{CAMERA_ID}/omega"]  # noqa: E731
        probe.wait_for(lambda _: count() > 0 or not graph.running, "the first Ω")
        assert graph.running, graph.errors()
        found = Attacked(probe, graph.start_key_of("privcam_edge"), count())
        with subprocess.Popen(
            [sys.executable, "-m", "harness.forger", CAMERA_ID, str(public / "foreign")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=HARNESS,
            env=environment,
        ) as forger:
            reader = threading.Thread(target=_read_reports, args=(forger.stdout, found.reports))
            reader.start()
            going = lambda: graph.running and forger.poll() is None  # noqa: E731
            attacking = lambda: len(found.reports) >= ROUNDS and found.reports[-1].get("replayed", 0) > 0  # noqa: E731
            probe.wait_for(lambda _: attacking() or not going(), "rounds of the attack")
            assert going(), graph.errors()
            found.before = count()
            probe.wait_for(lambda _: count() >= found.before + OMEGAS or not going(), "Ω during the attack")
            assert going(), graph.errors()
            for name in READERS:
                wait_for_status(probe, f"/{CAMERA_ID}/{name}", _refuses, "refused messages")
            found.files = middleware_files()
            assert forger.stdin is not None
            forger.stdin.close()
            reader.join()
        yield found


def _read_reports(lines: Any, reports: list[dict[str, Any]]) -> None:
    reports.extend(json.loads(line) for line in lines)


def _refuses(status: Any) -> bool:
    counts = values(status)
    return int(counts.get("refused_forged", 0)) > 0 and int(counts.get("refused_replayed", 0)) > 0


def test_every_kind_of_attack_was_made_by_another_user(attacked: Attacked) -> None:
    done = attacked.reports[-1]
    assert min(done[kind] for kind in ("replayed", "damaged", "foreign", "flood", "no_message", "plain")) > 0, done
    assert done["sealed_heard"] > 0  # it was connected to the edge
    assert done["uid"] == (NOBODY if os.getuid() == 0 else os.getuid())


def true_messages(attacked: Attacked, topic: str) -> list[Any]:
    """Return the messages on a raw topic that the edge itself published."""
    return attacked.probe.opened(f"/{CAMERA_ID}/{topic}", TOPICS[topic], attacked.key, forged=True)


def stamp_of(key: SyncKey) -> tuple[int, int]:
    return key.stamp.sec, key.stamp.nanosec


def test_omega_flows_during_the_attack_and_is_of_true_frames_alone(attacked: Attacked) -> None:
    true = {frame.key.frame_id: stamp_of(frame.key) for frame in true_messages(attacked, "frames")}
    for topic in ("omega", "environment"):
        keys = [message.key for message in attacked.probe.messages(f"/{CAMERA_ID}/{topic}")]
        assert len(keys) >= attacked.before + OMEGAS
        assert max(key.frame_id for key in keys) < FIRST_FORGED
        known = [key for key in keys if key.frame_id in true]  # a flood may cost the listener a message
        assert len(known) >= OMEGAS
        assert all(stamp_of(key) == true[key.frame_id] for key in known)


def test_nobody_without_the_key_reads_a_raw_topic(attacked: Attacked) -> None:
    assert attacked.reports[-1].get("plain_heard", 0) == 0
    rings = {frame.ring.encode() for frame in true_messages(attacked, "frames")}
    assert rings
    published = [one.data for one in attacked.probe.all_messages() if one.topic.split("/")[-1] in TOPICS]
    assert len(published) > 0
    assert not [data for data in published if any(ring in data for ring in rings)]
    poses: list[RawPoseArray] = true_messages(attacked, "raw_poses")
    assert sum(len(one.poses) for one in poses) > 0


def test_shared_memory_of_the_edge_cannot_be_opened_by_another_user(attacked: Attacked) -> None:
    files = {SHARED_MEMORY / name for name in attacked.files}
    assert len([file for file in files if "_port" not in file.name]) >= len(READERS)
    # A port that the middleware makes while it runs is closed with the next report of the node, a second later.
    wait_until(lambda: {file.stat().st_mode & 0o777 for file in files} == {0o600}, "mode 600 of all files")
    if attacked.reports[-1]["uid"] != os.getuid():
        assert not attacked.files & set(attacked.reports[-1]["readable"])


def test_readers_count_and_show_what_they_refused(attacked: Attacked) -> None:
    for name in READERS:
        status = wait_for_status(attacked.probe, f"/{CAMERA_ID}/{name}", _refuses, "refused messages")
        assert "refused a message" in status.message
        assert "another process publishes on this topic" in status.message
        assert int(values(status).get("errors", 0)) == 0
