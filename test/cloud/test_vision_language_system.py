"""inference_node with a vision-language model: alarms come as ever, and what the model says comes beside them."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
from chat_server import ChatServer, hangs, in_turn, says
from diagnostic_msgs.msg import DiagnosticStatus
from privcam_msgs.msg import Omega as OmegaMsg
from privcam_msgs.msg import SceneReport
from vlm_examples import omega, text

from harness.graph_probe import (
    HANG_LIMIT_S,
    GraphProbe,
    probe_diagnostics,
    started,
    values,
    wait_for_status,
    wait_until,
)
from privcam_recognition.temporal.temporal_model import TemporalModel
from privcam_ros.conversions import omega_to_msg
from privcam_ros.node import STREAM

REPORT, VLM_REPORT, NODE = "/cam/report", "/cam/vlm_report", "/cam/inference"
PERIOD_S = 0.05


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "output.log"


class Feed:
    """Publishes Ω as the bridge does, for as long as somebody looks whether what it waits for has come."""

    def __init__(self, probe: GraphProbe) -> None:
        self._out = probe.node.create_publisher(OmegaMsg, "/cam/omega", STREAM)
        self.number = 0

    def wait_until(self, probe: GraphProbe, condition: Any, what: str, timeout_s: float = HANG_LIMIT_S) -> None:
        end = time.monotonic() + timeout_s
        while not condition():
            assert time.monotonic() < end, f"waited for {what}; received {dict(probe.counts)}"
            self.number += 1
            self._out.publish(omega_to_msg(omega(self.number)))
            time.sleep(PERIOD_S)


@pytest.fixture
def probe() -> Iterator[GraphProbe]:
    with probe_diagnostics((REPORT, SceneReport), (VLM_REPORT, SceneReport)) as received:
        yield received


def test_server_is_asked_and_its_reply_is_a_report_of_its_own(probe: GraphProbe, log: Path) -> None:
    with (
        ChatServer(says(text())) as server,
        started(
            "privcam_cloud", "inference_node", log, vlm="openai", vlm_model="tiny", vlm_url=server.url, vlm_period_s=0.2
        ) as node,
    ):
        Feed(probe).wait_until(probe, lambda: probe.counts[VLM_REPORT] >= 3, "three reports of the model")
        status = wait_for_status(probe, NODE, lambda s: int(values(s).get("vlm_answered", 0)) >= 1, "a reply")
        assert status.level == DiagnosticStatus.OK
        assert node.interrupt() == 0, node.output
    reports = probe.messages(VLM_REPORT)
    assert {report.model_id for report in reports} == {"openai:tiny"}
    assert {report.caption for report in reports} == {"One person stands in the room."}
    assert [b.label for b in reports[0].events] == ["standing"]
    assert all(report.latency > 0 for report in reports)
    fast = probe.messages(REPORT)
    assert {report.model_id for report in fast} == {TemporalModel().model_id}
    assert {report.key.frame_id for report in reports} <= {report.key.frame_id for report in fast}


def test_alarms_keep_coming_while_the_model_hangs_and_the_diagnostics_say_so(probe: GraphProbe, log: Path) -> None:
    feed = Feed(probe)
    with (
        ChatServer(in_turn(hangs, hangs, says(text()))) as server,
        started(
            "privcam_cloud",
            "inference_node",
            log,
            vlm="openai",
            vlm_model="tiny",
            vlm_url=server.url,
            vlm_period_s=0.1,
            vlm_budget_s=2.0,
        ) as node,
    ):
        feed.wait_until(probe, lambda: server.requests, "a query")
        before, first = probe.counts[REPORT], feed.number
        feed.wait_until(probe, lambda: len(server.requests) > 1, "the query after the one that hung")
        assert probe.counts[VLM_REPORT] == 0
        # One that is on its way is no gap.
        assert probe.counts[REPORT] - before >= feed.number - first - 2
        feed.wait_until(probe, lambda: probe.counts[VLM_REPORT], "a report after the model had come back")
        status = wait_for_status(probe, NODE, lambda s: int(values(s).get("vlm_timeout", 0)) >= 1, "a timeout")
        assert "errors" not in values(status)
        assert node.interrupt() == 0, node.output
    assert "vlm: frame" in node.output
    assert "timeout" in node.output


@pytest.mark.parametrize("how", ["interrupted", "killed"])
def test_node_that_ends_takes_the_process_of_its_model_along(probe: GraphProbe, log: Path, how: str) -> None:
    with (
        ChatServer(hangs) as server,
        started("privcam_cloud", "inference_node", log, vlm="openai", vlm_model="tiny", vlm_url=server.url) as node,
    ):
        Feed(probe).wait_until(probe, lambda: server.requests, "a query")
        children = psutil.Process(node.pid).children()
        assert children
        if how == "interrupted":
            assert node.interrupt() == 0, node.output
        else:
            node.kill()
        wait_until(lambda: not any(child.is_running() for child in children), "the end of the processes")


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ({"vlm": "llama"}, "parameter vlm is 'llama'; it must be one of empty, transformers, openai"),
        ({"vlm": "openai"}, "vlm_model: is empty"),
        ({"vlm": "openai", "vlm_model": "m"}, "vlm_url: '' is not of the form"),
        (
            {"vlm": "openai", "vlm_model": "m", "vlm_url": "http://models.example/v1"},
            "vlm_url: 'http://models.example/v1' goes to another host in plain text; use https",
        ),
        ({"vlm": "transformers", "vlm_model": "/no/such"}, "vlm_model: '/no/such' is neither a folder"),
        ({"vlm": "openai", "vlm_model": "m", "vlm_budget_s": 0.0}, "vlm_budget_s is 0.0; it must be a float, in"),
    ],
)
def test_wrong_parameter_ends_the_node_and_is_named(given: dict[str, Any], complaint: str, log: Path) -> None:
    with started("privcam_cloud", "inference_node", log, **given) as node:
        assert node.wait() == 1
    assert complaint in node.output


def test_folder_without_a_model_ends_the_node_and_is_named(tmp_path: Path, log: Path) -> None:
    with started("privcam_cloud", "inference_node", log, vlm="transformers", vlm_model=str(tmp_path)) as node:
        assert node.wait() == 1
    assert f"vlm_model {tmp_path}: is no image-text-to-text model that can be loaded" in node.output
