"""The worker: reports come from its own thread and process, and whatever a model does, nobody waits for it."""

import os
import signal
import sys
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from chat_server import ChatServer, hangs, in_turn, says
from vlm_examples import omega, text

from privcam_core.events.scene_report import Phase, SceneReport
from privcam_vlm import worker as worker_module
from privcam_vlm.vlm_settings import Settings
from privcam_vlm.worker import Worker

# Against a test that hangs.
HANG_LIMIT_S = 300.0


class Watched:
    """A worker, and all that it says."""

    def __init__(self, settings: Settings) -> None:
        self.reports: Queue[SceneReport] = Queue()
        self.latencies: list[float] = []
        self.complaints: Queue[str] = Queue()
        self.unusable: Queue[str] = Queue()
        self.worker = Worker(settings, self)

    def end_with(self, text: str) -> None:
        self.unusable.put(text)

    def warn(self, text: str) -> None:
        self.complaints.put(text)

    def deliver(self, report: SceneReport, latency_s: float) -> None:
        self.latencies.append(latency_s)
        self.reports.put(report)

    def __enter__(self) -> "Watched":
        return self

    def __exit__(self, *_: object) -> None:
        self.worker.close()

    def until(self, condition: Callable[[], Any], what: str) -> None:
        end = time.monotonic() + HANG_LIMIT_S
        while not condition():
            assert time.monotonic() < end, f"waited for {what}; {self.worker.diagnostics()} {self.worker.trouble}"
            time.sleep(0.02)


def at(server: ChatServer, **more: float) -> Settings:
    return Settings("openai", "tiny", server.url, **{"vlm_period_s": 0.1, "vlm_budget_s": 5.0, **more})


def test_newest_frame_is_reported_with_its_key_the_models_name_and_the_time_that_it_took() -> None:
    with ChatServer(says(text())) as server, Watched(at(server)) as watched:
        watched.worker.offer(omega(1))
        watched.worker.offer(omega(2))
        report = watched.reports.get(timeout=HANG_LIMIT_S)
        assert report.key == omega(2).key
        assert report.model_id == "openai:tiny"
        assert report.caption == "One person stands in the room."
        assert [(b.label, b.subject_ids, b.phase) for b in report.events] == [("standing", (3,), Phase.STARTED)]
        assert watched.latencies[0] > 0
        watched.until(lambda: watched.worker.diagnostics().get("vlm_answered") == 1, "the count")
        assert watched.worker.diagnostics() == {"vlm_loaded": 1, "vlm_asked": 1, "vlm_answered": 1}


def test_questions_keep_the_period_and_no_frame_is_asked_about_twice() -> None:
    with ChatServer(says(text())) as server, Watched(at(server, vlm_period_s=0.5)) as watched:
        watched.worker.offer(omega(1))
        watched.reports.get(timeout=HANG_LIMIT_S)
        began, number = time.monotonic(), 1
        # A slow machine gets more time for the two reports that every machine has to make.
        while (waited := time.monotonic() - began) < 2.2 or (watched.reports.qsize() < 2 and waited < HANG_LIMIT_S):
            number += 1
            watched.worker.offer(omega(number))
            time.sleep(0.02)
        keys = [watched.reports.get_nowait().key for _ in range(watched.reports.qsize())]
    assert 2 <= len(keys) <= 5
    assert keys == sorted(set(keys))


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("Somebody stands.", "json"),
        (text(caption=7), "schema"),
        (text(behaviors=[{"label": "standing", "confidence": 0.5, "subject_ids": [99]}]), "subject"),
        (text(behaviors=[{"label": "flying", "confidence": 0.5, "subject_ids": [3]}]), "label"),
    ],
)
def test_wrong_reply_is_counted_and_the_next_right_one_is_reported(said: str, reason: str) -> None:
    with ChatServer(in_turn(says(said), says(text()))) as server, Watched(at(server)) as watched:
        watched.worker.offer(omega(1))
        assert reason in watched.complaints.get(timeout=HANG_LIMIT_S)
        assert watched.worker.diagnostics()[f"vlm_{reason}"] == 1
        assert watched.worker.trouble.startswith(f"frame 1: {reason}")
        watched.worker.offer(omega(2))
        assert watched.reports.get(timeout=HANG_LIMIT_S).key == omega(2).key
        watched.until(lambda: watched.worker.trouble == "", "the end of the trouble")


def test_nobody_waits_while_the_model_hangs_and_it_is_asked_again_after_the_budget() -> None:
    with ChatServer(in_turn(hangs, says(text()))) as server, Watched(at(server, vlm_budget_s=1.0)) as watched:
        later = [omega(number) for number in range(2, 50)]
        watched.worker.offer(omega(1))
        watched.until(lambda: server.requests, "the query")
        slowest = 0.0
        for one in later:
            began = time.perf_counter()
            watched.worker.offer(one)
            slowest = max(slowest, time.perf_counter() - began)
        assert slowest < 0.2
        assert "timeout" in watched.complaints.get(timeout=HANG_LIMIT_S)
        assert watched.reports.get(timeout=HANG_LIMIT_S).key == later[-1].key


def test_model_whose_process_hangs_is_killed_and_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("privcam_vlm.backends.model_process.HANG_TIMEOUT_S", 0.5)
    monkeypatch.setattr(worker_module, "RELOAD_S", 0.1)
    with ChatServer(says(text())) as server, Watched(at(server, vlm_budget_s=0.5)) as watched:
        watched.until(lambda: watched.worker.diagnostics()["vlm_loaded"], "the model")
        stopped = watched.worker._model
        assert stopped is not None
        assert stopped.pid is not None
        os.kill(stopped.pid, signal.SIGSTOP)
        watched.worker.offer(omega(1))
        assert "hung and was killed" in watched.complaints.get(timeout=HANG_LIMIT_S)
        numbers = count(2)

        def reported() -> int:
            # A reply may come after the budget on a busy machine: then the next frame is asked about.
            watched.worker.offer(omega(next(numbers)))
            return watched.reports.qsize()

        watched.until(reported, "a report of the new process")
        assert not stopped.alive


def test_model_whose_process_is_killed_is_started_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_module, "RELOAD_S", 0.1)
    with ChatServer(in_turn(hangs, says(text()))) as server, Watched(at(server)) as watched:
        watched.worker.offer(omega(1))
        watched.until(lambda: server.requests, "the query")
        model = watched.worker._model
        assert model is not None
        assert model.pid is not None
        os.kill(model.pid, signal.SIGKILL)
        assert "ended with exit code -9" in watched.complaints.get(timeout=HANG_LIMIT_S)
        assert watched.worker.diagnostics()["vlm_crash"] == 1
        watched.worker.offer(omega(2))
        assert watched.reports.get(timeout=HANG_LIMIT_S).key == omega(2).key


def test_picture_that_cannot_be_opened_costs_one_query_and_no_more() -> None:
    with ChatServer(says(text())) as server, Watched(at(server)) as watched:
        broken = omega(1)
        object.__setattr__(broken.environment, "png", b"no picture")
        watched.worker.offer(broken)
        assert "ValueError" in watched.complaints.get(timeout=HANG_LIMIT_S)
        watched.worker.offer(omega(2))
        assert watched.reports.get(timeout=HANG_LIMIT_S).key == omega(2).key


def test_model_that_cannot_be_loaded_is_said_once_and_nothing_is_asked(tmp_path: Path) -> None:
    with Watched(Settings("transformers", str(tmp_path))) as watched:
        assert "is no image-text-to-text model" in watched.unusable.get(timeout=HANG_LIMIT_S)
        watched.worker.offer(omega(1))
        assert watched.worker.diagnostics() == {"vlm_loaded": 0}


@pytest.mark.skipif(sys.version_info < (3, 11), reason="transformers 5 needs Python 3.11")
def test_model_in_a_folder_is_loaded_and_asked(tmp_path: Path) -> None:
    from tiny_vlm import write_tiny_llava

    settings = Settings("transformers", str(write_tiny_llava(tmp_path / "llava")), vlm_budget_s=60.0)
    with Watched(settings) as watched:
        watched.worker.offer(omega(1, ids=(3, 5)))
        # What a model says that was never trained may be refused for what it says; it has the right form all the same.
        outcomes = ("vlm_answered", "vlm_schema", "vlm_length")
        watched.until(lambda: any(outcome in watched.worker.diagnostics() for outcome in outcomes), "a reply")
        assert set(watched.worker.diagnostics()) <= {"vlm_loaded", "vlm_asked", *outcomes}
        if watched.worker.diagnostics().get("vlm_answered"):
            assert watched.reports.get_nowait().model_id == "transformers:llava"


def test_worker_ends_at_once_while_the_model_hangs_and_says_nothing_more() -> None:
    with ChatServer(hangs) as server, Watched(at(server, vlm_budget_s=60.0)) as watched:
        watched.worker.offer(omega(1))
        watched.until(lambda: server.requests, "the query")
        model = watched.worker._model
        began = time.monotonic()
        watched.worker.close()
        assert time.monotonic() - began < 5.0
        assert model is not None
        assert not model.alive
        assert watched.complaints.empty()
