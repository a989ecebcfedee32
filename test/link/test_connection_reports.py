"""An operator sees each connection, its end, and the reason why there is none, once, on both sides."""

from pathlib import Path

import pytest
from diagnostic_msgs.msg import DiagnosticStatus

from harness.graph_probe import Program, own_endpoint, probe_diagnostics, started, values, wait_for_status, wait_until
from privcam_link.certificates import keys_command as keys

REFUSED = "nothing listens there; start the cloud, compare address and port"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return the folder of the keys of a camera, and of clouds for localhost and for another name."""
    clouds = ("add cloud hq --address localhost", "add cloud other --address 127.0.0.1")
    for line in ("init", "add camera room1", *clouds):
        words = ["--authority", str(tmp_path / "ca"), "--keys", str(tmp_path / "keys"), *line.split()]
        assert keys.main(words) == keys.DONE
    return tmp_path / "keys"


def wait_for_text(program: Program, text: str) -> None:
    wait_until(lambda: text in program.output, f"{text!r} in the output")


def test_edge_and_cloud_tell_each_connection_and_each_reason_once(folder: Path, tmp_path: Path) -> None:
    endpoint = own_endpoint().replace("tcp/127.0.0.1", "tls/localhost")
    edge = {"camera_id": "room1", "endpoint": endpoint, "credentials": str(folder / "room1")}
    with (
        probe_diagnostics() as probe,
        started("privcam_edge", "bridge_node", tmp_path / "edge", remap={"__ns": "/room1"}, **edge) as bridge,
    ):
        status = wait_for_status(probe, "/room1/bridge", lambda s: "not_connected" in values(s) and bool(
            values(s)["not_connected"]), "the reason")  # fmt: skip
        assert values(status)["not_connected"] == f"{endpoint}: {REFUSED}"
        assert (status.level, status.message) == (
            DiagnosticStatus.WARN, f"no cloud at {endpoint}: {REFUSED}: trying again and again"
        )  # fmt: skip
        for name, log in (("other", "wrong"), ("hq", "right")):
            cloud = {"camera_id": "room1", "listen": endpoint, "credentials": str(folder / name)}
            with started(
                "privcam_cloud", "bridge_node", tmp_path / log, remap={"__ns": "/room1/cloud"}, **cloud
            ) as other:
                if name == "other":
                    wait_for_text(bridge, "the certificate of the cloud is for another name")
                else:
                    wait_for_text(bridge, "connected: cloud.hq.1 at tls/127.0.0.1:")
                    wait_for_text(other, "connected: camera.room1.1 at tls/127.0.0.1:")
        wait_for_text(bridge, "connection gone: cloud.hq.1")
        status = wait_for_status(probe, "/room1/bridge", lambda s: values(s).get("connected") == "1", "the connection")
        assert values(status)["not_connected"] == ""
        output = bridge.output
        assert output.count("]: ready") == 1 and output.count(": connected: ") == 1
        assert output.count(f"cannot connect to {endpoint}: {REFUSED}") <= 3  # before, between and after the clouds
        assert output.count("is for another name") == 1
        assert bridge.interrupt() == 0
