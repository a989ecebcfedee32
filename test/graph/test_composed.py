"""The small gateway: each side in one process."""

from pathlib import Path

import psutil
from privcam_msgs.msg import Omega, SceneReport

from harness.edge_parameters import write_edge_parameters
from harness.graph_probe import DOMAIN, GraphProbe, own_endpoint
from privcam_bringup.graph import Graph

FRAMES = 5
NODES = {
    *("camera", "detector", "tracker", "pose", "eraser", "composer", "embedder", "omega", "bridge"),
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
