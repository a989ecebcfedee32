"""The program in docs/wire.md, which imports nothing of this project, reads the Ω of an edge."""

import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from queue import Queue
from typing import Any

import cv2
import numpy as np
import pytest
import zenoh

from privcam_core.images.environment import encode_environment, environment_of
from privcam_core.types.omega import Embedding, HeadOrientation, Omega, PrivacyReport, SubjectPose, SyncKey, Verdict
from privcam_edge.link.omega_queue import OmegaQueue
from privcam_edge.link.packetizer import PLAIN_EVERY
from privcam_edge.link.picture_schedule import PictureSchedule
from privcam_edge.link.session import EdgeLink
from privcam_link.certificates import keys_command as keys
from privcam_link.session_settings import camera_end, cloud_end
from privcam_link.wire import ALL_CAMERAS

# Against a test that hangs.
HANG_LIMIT_S = 300.0
START_NS = 1_700_000_000_250_000_000
# Lines to wait for: both plain and compressed Ω come after the first plain one.
ENOUGH = PLAIN_EVERY + 5


def program(root: Path) -> str:
    text = (root / "docs/wire.md").read_text(encoding="utf-8")
    return re.search(r"## A reader of its own\n.*?```python\n(.*?)```", text, flags=re.DOTALL)[1]


def picture(brightness: int) -> bytes:
    plate = np.full((48, 64, 3), (brightness, 90, 60), np.uint8)
    confirmed = np.ones((48, 64), bool)
    confirmed[10:30, 20:40] = False
    return encode_environment(plate, confirmed)


def omega(frame: int, png: bytes) -> Omega:
    """Return an Ω with two people, of whom the second is drawn first."""
    key = SyncKey("room1", frame, START_NS + frame * 40_000_000)
    points = np.random.default_rng(frame).uniform(0, 1, (2, 17, 3)).astype(np.float32)
    points[..., :2] *= 60
    people = [
        SubjectPose(7, (1.5, 2.25, 30.0, 40.1), points[0], HeadOrientation(0.5, -0.25, 0.1), layer=1),
        SubjectPose(3, (20.0, 2.0, 61.7, 47.0), points[1], None, layer=0),
    ]
    return Omega(
        key,
        environment_of(key, png, epoch=1),
        people,
        Embedding("hog-1", (3,), 0.5, b"\x01\x02\x03", 0.25, 1.0),
        PrivacyReport(0.25, 0.125, 0.0, Verdict.PASS),
    )


def expected_line(omega: Omega) -> dict[str, Any]:
    """Return the line that the program must print of an Ω."""
    return {
        "camera": "room1",
        "frame": omega.key.frame_id,
        "stamp_ns": omega.key.stamp_ns,
        "digest": omega.environment.digest.hex(),
        "people": [
            {
                "subject": pose.subject_id,
                "box": np.asarray(pose.box, np.float32).tolist(),
                "keypoints": pose.keypoints.tolist(),
            }
            for pose in sorted(omega.poses, key=lambda pose: pose.layer)
        ],
    }


class Program:
    """The program as a process, and the lines that it printed."""

    def __init__(self, source: str, folder: Path, *arguments: str, config: Path | None = None) -> None:
        self.png = folder / "room.png"
        script = folder / "reader.py"
        script.write_text(source, encoding="utf-8")
        command = [sys.executable, str(script), *arguments, "room1", str(self.png)]
        environment = {"ZENOH_CONFIG": str(config)} if config else {}
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=folder, env=environment)
        self.lines: list[dict[str, Any]] = []
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self.process.stdout or ():
            self.lines.append(json.loads(line))

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


@contextmanager
def edge(folder: Path, endpoint: str, credentials: str = "") -> Iterator[EdgeLink]:
    settings, _ = camera_end("room1", endpoint, credentials)
    queue = OmegaQueue(folder / "queue")
    with EdgeLink("room1", settings, queue, PictureSchedule()) as link:
        yield link
    queue.close()


def free(protocol: str) -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"{protocol}/127.0.0.1:{probe.getsockname()[1]}"


def check(link: EdgeLink, reader: Program) -> None:
    """Send Ω, the later ones with another picture, and compare the lines and the picture of the program."""
    sent: dict[int, Omega] = {}
    end = time.monotonic() + HANG_LIMIT_S
    while len(reader.lines) < ENOUGH and time.monotonic() < end:
        one = omega(len(sent) + 1, picture(200 if len(reader.lines) > ENOUGH // 2 else 100))
        sent[one.key.frame_id] = one
        link.send(one)
        time.sleep(0.02)
    lines = list(reader.lines)
    assert len(lines) >= ENOUGH and reader.process.poll() is None
    for line in lines:
        assert {k: v for k, v in line.items() if k != "compressed"} == expected_line(sent[line["frame"]])
    assert [line["frame"] for line in lines] == list(range(lines[0]["frame"], lines[-1]["frame"] + 1))
    plain = [at for at, line in enumerate(lines) if not line["compressed"]]
    assert plain[0] == 0 and 0 < len(plain) <= 2 + len(lines) // PLAIN_EVERY
    newest = sent[lines[-1]["frame"]].environment
    while _digest_of(reader.png) != newest.digest and time.monotonic() < end:
        time.sleep(0.05)
    assert _digest_of(reader.png) == newest.digest
    assert cv2.imread(str(reader.png))[0, 0].tolist() == [200, 90, 60]


def _digest_of(path: Path) -> bytes:
    """Return the digest of a picture as docs/wire.md defines it, computed without code of the edge."""
    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED) if path.exists() else None
    if image is None or image.shape[2] != 4:
        return b""
    size = b"".join(number.to_bytes(4, "little") for number in image.shape[:2])
    return sha256(size + image[..., [2, 1, 0, 3]].tobytes()).digest()


def test_program_of_the_document_imports_nothing_of_this_project(root: Path) -> None:
    imported = set(re.findall(r"^(?:import|from) (\w+)", program(root), flags=re.MULTILINE))
    assert imported <= {"zenoh", "backports", *sys.stdlib_module_names}


def test_program_of_the_document_in_the_place_of_the_cloud_reads_what_an_edge_sends(
    root: Path, tmp_path: Path, stack: ExitStack
) -> None:
    endpoint = free("tcp")
    reader = Program(program(root), tmp_path, "listen", endpoint)
    stack.callback(reader.close)
    check(stack.enter_context(edge(tmp_path, endpoint)), reader)


def test_program_of_the_document_as_a_viewer_reads_through_the_cloud(
    root: Path, tmp_path: Path, stack: ExitStack
) -> None:
    for line in ("init", "add camera room1", "add cloud hq --address 127.0.0.1", "add viewer nurse"):
        folders = ["--authority", str(tmp_path / "ca"), "--keys", str(tmp_path / "keys")]
        assert keys.main([*folders, *line.split()]) == keys.DONE
    endpoint = free("tls")
    settings, _ = cloud_end(endpoint, str(tmp_path / "keys/hq"))
    config = zenoh.Config()
    for name, value in settings.items():
        config.insert_json5(name, value)
    cloud = stack.enter_context(zenoh.open(config))
    here: Queue[zenoh.Sample] = Queue()
    cloud.declare_subscriber(ALL_CAMERAS, here.put)
    link = stack.enter_context(edge(tmp_path, endpoint, str(tmp_path / "keys/room1")))
    tls = {
        "enable_mtls": True,
        "root_ca_certificate": str(tmp_path / "keys/nurse/ca.pem"),
        "connect_certificate": str(tmp_path / "keys/nurse/certificate.pem"),
        "connect_private_key": str(tmp_path / "keys/nurse/key.pem"),
    }
    file = tmp_path / "zenoh.json5"
    file.write_text(json.dumps({"transport": {"link": {"tls": tls}}}), encoding="utf-8")
    reader = Program(program(root), tmp_path, "connect", endpoint, config=file)
    stack.callback(reader.close)
    check(link, reader)
    assert not here.empty()
