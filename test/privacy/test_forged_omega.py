"""Another user of the host forges what travels between eraser and gate: nothing of it leaves, and true Ω do."""

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from privcam_msgs.msg import EmbeddingSeal, Omega, Seal

from harness.edge_parameters import write_edge_parameters
from harness.graph_probe import DOMAIN, GraphProbe, own_endpoint, probe_diagnostics, values, wait_for_status
from harness.omega_forger import FORGED_FRACTION, FORGED_LEVEL, TOPICS
from harness.other_user import NOBODY, forger_environment
from privcam_bringup.graph import Graph
from privcam_core.images.environment import decode_environment
from privcam_core.types.seals import Seals
from privcam_edge.link.sealing import SealKeys, SealVerifier
from privcam_ros.conversions import omega_from_msg
from privcam_ros.seal_conversions import embedding_seal_from_msg, seal_from_msg

CAMERA_ID = "ward"
HARNESS = Path(__file__).resolve().parents[1]
# Ω that have to leave while the attack goes on.
OMEGAS = 8


@dataclass
class Attacked:
    """A running edge beside a forger. before: Ω that had left when the forger was at work; reports: what it printed."""

    probe: GraphProbe
    keys: SealKeys
    before: int
    reports: list[dict[str, Any]] = field(default_factory=list)


@pytest.fixture(scope="module")
def attacked(clip: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Attacked]:
    folder = tmp_path_factory.mktemp("forged_omega")
    arguments = {
        "camera_id": CAMERA_ID,
        "source": str(clip),
        "endpoint": own_endpoint(),
        "evidence": "transit",
        "respawn": "false",
        "params_file": str(write_edge_parameters(folder, camera={"loop": True})),
    }
    graph = Graph("edge", arguments, log=folder / "edge.log", domain_id=DOMAIN)
    topics = [(f"/{CAMERA_ID}/{name}", kind) for name, kind in (("omega_out", Omega), ("seals", Seal))]
    topics.append((f"/{CAMERA_ID}/embedding_seals", EmbeddingSeal))
    with (
        tempfile.TemporaryDirectory(prefix="privcam_forger_") as public,
        probe_diagnostics(*topics) as probe,
        graph,
    ):
        Path(public).chmod(0o755)
        count = lambda: probe.counts[f"/{CAMERA_ID}/omega_out"]  # noqa: E731
        probe.wait_for(lambda _: count() > 0 or not graph.running, "the first Ω")
        assert graph.running, graph.errors()
        found = Attacked(probe, SealKeys.derived(graph.start_key_of("privcam_edge").derive), count())
        with subprocess.Popen(
            [sys.executable, "-m", "harness.omega_forger", CAMERA_ID],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=HARNESS,
            env={**os.environ, **forger_environment(Path(public))},
        ) as forger:
            reader = threading.Thread(target=_read_reports, args=(forger.stdout, found.reports))
            reader.start()
            going = lambda: graph.running and forger.poll() is None  # noqa: E731
            probe.wait_for(lambda _: _attacks(found.reports) or not going(), "an attack of every kind")
            assert going(), graph.errors()
            found.before = count()
            probe.wait_for(lambda _: count() >= found.before + OMEGAS or not going(), "Ω during the attack")
            assert going(), graph.errors()
            wait_for_status(probe, f"/{CAMERA_ID}/bridge", _bridge_refuses, "Ω and seals that the bridge refused")
            wait_for_status(probe, f"/{CAMERA_ID}/omega", _omega_refuses, "parts that the omega node refused")
            wait_for_status(probe, f"/{CAMERA_ID}/composer", _omega_refuses, "parts that the composer refused")
            wait_for_status(probe, f"/{CAMERA_ID}/embedder", _embedder_refuses, "frames that the embedder refused")
            assert forger.stdin is not None
            forger.stdin.close()
            reader.join()
        yield found


def _read_reports(lines: Any, reports: list[dict[str, Any]]) -> None:
    reports.extend(json.loads(line) for line in lines)


def _attacks(reports: list[dict[str, Any]]) -> bool:
    done = reports[-1] if reports else {}
    return all(done.get(f"forged_{topic}", 0) > 20 for topic in TOPICS) and done.get("replayed", 0) > 0


def _bridge_refuses(status: Any) -> bool:
    counts = values(status)
    return int(counts.get("rejected_seal", 0)) > 0 and int(counts.get("forged_seals", 0)) > 0


def _omega_refuses(status: Any) -> bool:
    counts = values(status)
    return int(counts.get("unsealed_parts", 0)) > 0 and int(counts.get("forged_seals", 0)) > 0


def _embedder_refuses(status: Any) -> bool:
    return int(values(status).get("forged_frames", 0)) > 0


def left(attacked: Attacked) -> list[Omega]:
    messages: list[Omega] = attacked.probe.messages(f"/{CAMERA_ID}/omega_out")
    return messages


def test_every_kind_of_message_was_forged_by_another_user(attacked: Attacked) -> None:
    done = attacked.reports[-1]
    assert done["uid"] == (NOBODY if os.getuid() == 0 else os.getuid())
    assert min(done[f"heard_{topic}"] for topic in ("environment", "poses", "seals", "omega")) > 0
    assert min(done["replayed"], done["ahead"]) > 0


def test_nothing_forged_left_and_true_omega_did(attacked: Attacked) -> None:
    omegas = left(attacked)
    assert len(omegas) >= attacked.before + OMEGAS
    for one in omegas:
        assert one.privacy.excluded_fraction != FORGED_FRACTION
        if one.environment.png.data:
            plate, confirmed = decode_environment(bytes(one.environment.png.data))
            assert not (plate[confirmed] == FORGED_LEVEL).all() or not confirmed.any()


def test_each_omega_left_once_and_in_order_of_its_stamps(attacked: Attacked) -> None:
    stamps = [one.key.stamp.sec * 10**9 + one.key.stamp.nanosec for one in left(attacked)]
    assert stamps == sorted(set(stamps))


def test_every_omega_that_left_has_genuine_seals_for_its_embedding(attacked: Attacked) -> None:
    probe, verifier = attacked.probe, SealVerifier(attacked.keys)
    published = [seal_from_msg(one) for one in probe.messages(f"/{CAMERA_ID}/seals")]
    embedded = [embedding_seal_from_msg(one) for one in probe.messages(f"/{CAMERA_ID}/embedding_seals")]
    true = {one.key: one for one in published if verifier.is_genuine(one)}
    true_z = {one.key: one for one in embedded if verifier.is_genuine(one)}
    assert len(true) < len(published)
    known = 0
    for one in map(omega_from_msg, left(attacked)):
        if one.key in true and one.key in true_z:  # a flood may cost the listener a message
            seals = Seals(true[one.key], true_z[one.key])
            assert verifier.covers(seals.embedded, one.embedding)
            known += 1
    assert known >= OMEGAS
