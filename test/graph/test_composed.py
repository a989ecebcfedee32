"""Gateways: each side in one process, and the edge of several cameras in one."""

from pathlib import Path

import psutil
import yaml
from privcam_msgs.msg import Omega, SceneReport

from harness.edge_parameters import write_edge_parameters
from harness.graph_probe import DOMAIN, HANG_LIMIT_S, GraphProbe, own_endpoint
from privcam_bringup.graph import Graph

FRAMES = 5
CAMERAS = ("gateway_left", "gateway_right")
NODES = {
    *("camera", "detector", "tracker", "pose", "eraser", "composer", "embedder", "omega", "bridge", "edge_composed"),
    *("cloud/cloud_bridge", "cloud/inference", "cloud/reconstruction", "cloud/cloud_composed"),
}


def _names(probe: GraphProbe) -> set[str]:
    found = probe.node.get_node_names_and_namespaces()
    return {f"{space.removeprefix('/small').strip('/')}/{name}".strip("/") for name, space in found} - {"graph_probe"}


def test_both_sides_work_with_one_process_each(clip: Path, tmp_path: Path) -> None:
    arguments = {
        "camera_id": "small",
        "source": str(clip),
        "endpoint": own_endpoint(),
        "composed": "true",
        "edge_params_file": str(write_edge_parameters(tmp_path)),
    }
    graph = Graph("demo", arguments, log=tmp_path / "graph.log", domain_id=DOMAIN)
    with GraphProbe({"/small/cloud/omega": Omega, "/small/cloud/report": SceneReport}) as probe, graph:
        probe.wait_for(
            lambda s: s.counts["/small/cloud/report"] >= FRAMES or not graph.running, "reports from the composed graph"
        )
        assert graph.running, graph.errors()
        # Names of nodes travel on their own, so the last ones may arrive after the first report.
        probe.wait_for(lambda s: _names(s) == NODES, "exactly the names of all nodes")
        commands = [" ".join(child.cmdline()) for child in psutil.Process().children()]
        assert sum("edge_composed" in command for command in commands) == 1
        assert sum("cloud_composed" in command for command in commands) == 1
        assert not any("_node " in command for command in commands)
        keys = [message.key.frame_id for message in probe.messages("/small/cloud/omega")]
        assert keys == sorted(set(keys))
    assert graph.exit_code == 0, graph.errors()


def _write_parameters(folder: Path, sources: dict[str, Path]) -> Path:
    file = write_edge_parameters(folder)
    parameters = yaml.safe_load(file.read_text(encoding="utf-8"))
    for camera, source in sources.items():
        parameters[f"/{camera}/camera"] = {"ros__parameters": {"source": str(source), "loop": True}}
    file.write_text(yaml.safe_dump(parameters), encoding="utf-8")
    return file


def test_every_camera_of_one_process_reaches_the_cloud_as_itself(clip: Path, tmp_path: Path) -> None:
    endpoint, names = own_endpoint(), " ".join(CAMERAS)
    file = _write_parameters(tmp_path, dict.fromkeys(CAMERAS, clip))
    edge = Graph(
        "gateway",
        {"cameras": names, "endpoint": endpoint, "params_file": str(file)},
        log=tmp_path / "edge.log",
        domain_id=DOMAIN,
    )
    cloud = Graph("site", {"cameras": names, "listen": endpoint}, log=tmp_path / "cloud.log", domain_id=DOMAIN)
    topics = [f"/{camera}/cloud/omega" for camera in CAMERAS]
    with GraphProbe(dict.fromkeys(topics, Omega)) as probe, cloud, edge:
        probe.wait_for(
            lambda s: all(s.counts[topic] >= FRAMES for topic in topics) or not edge.running, "Ω of every camera"
        )
        assert edge.running, edge.errors()
        for camera, topic in zip(CAMERAS, topics, strict=True):
            assert {message.key.camera_id for message in probe.messages(topic)} == {camera}
        commands = [" ".join(child.cmdline()) for child in psutil.Process().children()]
        assert sum("edge_composed" in command for command in commands) == 1
    assert edge.exit_code == 0, edge.errors()


def test_camera_without_a_source_of_its_own_is_refused(clip: Path, tmp_path: Path) -> None:
    file = _write_parameters(tmp_path, {CAMERAS[0]: clip})
    arguments = {"cameras": " ".join(CAMERAS), "params_file": str(file), "respawn": "false"}
    graph = Graph("gateway", arguments, log=tmp_path / "edge.log", domain_id=DOMAIN)
    with graph:
        assert graph.wait(HANG_LIMIT_S)
        assert graph.exit_code == 1
        assert f"camera {CAMERAS[1]} has none of its own; write it below /{CAMERAS[1]}/camera" in graph.errors()
