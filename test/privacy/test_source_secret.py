"""The password of a stream is in nothing that a run prints, publishes, passes to a process or leaves behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from harness.graph_probe import DOMAIN, HANG_LIMIT_S, GraphProbe, started
from harness.locked_server import LockedServer

USER, PASSWORD = "nurse_Ohm", "Geh31m/@:&"
# The password as it is, as it stands in a URL, and in the head of a request.
SECRETS = ("Geh31m", "nurse_Ohm", "bnVyc2VfT2ht")
LAUNCH = """<launch>
  <arg name="source"/>
  <arg name="source_credentials"/>
  <privcam_start_key/>
  <node pkg="privcam_edge" exec="camera_node" name="camera" namespace="cam" output="screen">
    <param name="source" value="$(var source)" type="str"/>
    <param name="source_credentials" value="$(var source_credentials)" type="str"/>
    <param name="loop" value="true"/>
  </node>
</launch>
"""


@pytest.fixture
def credentials(tmp_path: Path) -> Path:
    file = tmp_path / "credentials"
    file.touch(mode=0o600)
    file.write_text(f"{USER}:{PASSWORD}\n")
    return file


@pytest.fixture
def server(tmp_path: Path) -> LockedServer:
    folder = tmp_path / "www"
    folder.mkdir()
    writer = cv2.VideoWriter(str(folder / "room.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 10, (64, 48))
    for level in range(20, 220, 10):
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()
    return LockedServer(folder, USER, PASSWORD)


def processes() -> str:
    """Return the command lines of all processes of this machine."""
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_text(encoding="utf-8", errors="replace"))
        except OSError:
            continue  # it ended meanwhile
    return "\n".join(lines)


def files(folder: Path) -> str:
    """Return the names and the contents of all files in a folder."""
    found = [path for path in folder.rglob("*") if path.is_file()]
    return "\n".join(f"{path}\n{path.read_bytes().decode('utf-8', 'replace')}" for path in found)


@pytest.mark.parametrize(("page", "right"), [("room.avi", True), ("room.avi", False), ("gone.avi", True)])
def test_password_of_a_stream_is_nowhere(
    server: LockedServer, credentials: Path, tmp_path: Path, page: str, right: bool
) -> None:
    if not right:
        credentials.write_text(f"{USER}:{PASSWORD}x\n")
    launch, temporary, log = tmp_path / "camera.launch.xml", tmp_path / "temporary", tmp_path / "output.log"
    launch.write_text(LAUNCH)
    temporary.mkdir()
    command = [sys.executable, "-m", "privcam_cli", "launch", str(launch), f"source_credentials:={credentials}"]
    environment = {**os.environ, "TMPDIR": str(temporary), "ROS_DOMAIN_ID": str(DOMAIN)}
    with server, GraphProbe() as probe, log.open("w") as out:
        command.append(f"source:=http://{server.host}/{page}")
        running = subprocess.Popen(command, stdout=out, stderr=subprocess.STDOUT, env=environment)
        try:
            if right and page == "room.avi":
                probe.wait_for(lambda seen: seen.counts["/cam/frames"], "frames")
            else:
                expected = f"source http://{server.host}: "
                probe.wait_for(lambda _: expected in log.read_text(encoding="utf-8"), "the lost stream in the log")
            probe.wait_for(lambda seen: seen.counts["/diagnostics"] and seen.counts["/rosout"], "diagnostics and log")
            seen = [processes(), files(temporary)]
            # Nobody is told the parameters of a node.
            services = [name for name, _ in probe.node.get_service_names_and_types()]
            assert not [name for name in services if name.startswith("/cam/") and "parameters" in name]
        finally:
            running.send_signal(signal.SIGINT)
            running.wait(HANG_LIMIT_S)
        topics = b"\n".join(one.data for one in probe.all_messages()).decode("utf-8", "replace")
    assert (server.asked > 0) == right
    seen += [topics, log.read_text(encoding="utf-8"), files(temporary)]
    for text in seen:
        for secret in SECRETS:
            assert secret not in text
    # What was searched is what there was: it names the stream.
    assert all(server.host in text for text in (seen[0], topics))


@pytest.mark.parametrize(
    "source", [f"rtsp://{USER}:{PASSWORD}@127.0.0.1:9/s", f"rtsp://127.0.0.1:9/user={USER}&password=Geh31m&channel=1"]
)
@pytest.mark.parametrize("command", [["launch", "edge"], ["demo"], ["commission", "--camera-id", "cam"], ["audit"]])
def test_source_with_a_password_is_refused_before_anything_starts(
    command: list[str], source: str, tmp_path: Path
) -> None:
    given = {"launch": [f"source:={source}"], "audit": [source]}.get(command[0], ["--source", source])
    done = subprocess.run(
        [sys.executable, "-m", "privcam_cli", *command, *given],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=HANG_LIMIT_S,
        check=False,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert done.returncode != 0
    assert "source rtsp://" in done.stderr
    assert "give that file as source_credentials" in done.stderr
    assert not any(secret in text for secret in SECRETS for text in (done.stdout, done.stderr, files(tmp_path)))


def test_node_that_is_given_a_password_refuses_it_and_does_not_repeat_it(tmp_path: Path) -> None:
    log = tmp_path / "output.log"
    source = f"rtsp://{USER}:{PASSWORD}@127.0.0.1:9/s"
    with GraphProbe() as probe, started("privcam_edge", "camera_node", log, source=source) as camera:
        assert camera.wait() == 1
        topics = b"\n".join(one.data for one in probe.all_messages()).decode("utf-8", "replace")
    assert "holds a user name or a password" in camera.output
    assert not any(secret in text for secret in SECRETS for text in (camera.output, topics))
