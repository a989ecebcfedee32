"""Asks a model about the newest Ω on a thread of its own, so that nothing ever waits for the model."""

import time
from collections import Counter
from threading import Condition, Event, Lock, Thread
from typing import Protocol

from privcam_core.events.scene_report import SceneReport
from privcam_core.types.omega import Omega
from privcam_vlm.backends.model_process import ModelProcess
from privcam_vlm.protocol.text import clean
from privcam_vlm.scene_history import Moment, SceneHistory
from privcam_vlm.vlm_errors import NoReply, Reason, Unusable
from privcam_vlm.vlm_query import VlmQuery
from privcam_vlm.vlm_settings import Settings

# A model whose process died is loaded again after this, in s: not at once, because memory may be short.
RELOAD_S = 10.0


class Listener(Protocol):
    """Takes the results of a worker, on the worker's thread, and not after its `close`."""

    def deliver(self, report: SceneReport, latency_s: float) -> None:
        """Take a report. latency_s: from the arrival of Ω to the report."""

    def end_with(self, text: str) -> None:
        """Take note, once, that the settings cannot work, and what to do; the worker has ended."""

    def warn(self, text: str) -> None:
        """Take note of a failure."""


class Worker:
    """Takes every Ω of one camera, and asks about the newest at most once in `vlm_period_s`."""

    def __init__(self, settings: Settings, listener: Listener) -> None:
        self._settings = settings
        self._listener = listener
        self._history = SceneHistory()
        self._query = VlmQuery(settings)
        self._newest: tuple[Moment, float] | None = None
        self._not_before = 0.0
        self._model: ModelProcess | None = None
        self._loaded = False
        self._counts: Counter[str] = Counter()
        self._trouble = ""
        self._changed = Condition()
        self._telling = Lock()
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="vision_language", daemon=True)
        self._thread.start()

    def offer(self, omega: Omega) -> None:
        """Take the next Ω, in the order of κ. Returns at once; of several only the newest is asked about."""
        with self._changed:
            self._newest = self._history.add(omega), time.monotonic()
            self._changed.notify()

    @property
    def trouble(self) -> str:
        """The last failure, empty after a query with a usable reply."""
        with self._changed:
            return self._trouble

    def diagnostics(self) -> dict[str, int]:
        """Return whether the model is loaded, and the number of queries, of replies, and of failures by reason."""
        with self._changed:
            counted = {f"vlm_{name}": count for name, count in self._counts.items()}
            return {"vlm_loaded": int(self._loaded), **counted}

    def close(self) -> None:
        """Send no further query, and end the model."""
        with self._telling:
            self._stopping.set()
        with self._changed:
            self._changed.notify()
            model = self._model
        if model is not None:
            model.kill()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._work()
            except Unusable as error:
                self._tell_unusable(str(error))
                return
            except NoReply as error:
                self._failed(error.reason, f"vlm_model {self._settings.vlm_model}: {error.text}")
            self._stopping.wait(RELOAD_S)

    def _work(self) -> None:
        """Load the model and ask it until its process ends or the worker closes."""
        with self._changed:
            if self._stopping.is_set():
                return
            model = self._model = ModelProcess(self._settings)
        try:
            model.wait_until_ready()
            with self._changed:
                self._loaded = True
            while model.alive and (taken := self._next()) is not None:
                self._ask(model, *taken)
        finally:
            with self._changed:
                self._loaded, self._model = False, None
            model.kill()

    def _next(self) -> tuple[Moment, float] | None:
        """Wait for an Ω, and until the next query is due. None: the worker ends."""
        with self._changed:
            while not self._stopping.is_set():
                wait = self._not_before - time.monotonic()
                if self._newest is not None and wait <= 0:
                    taken, self._newest = self._newest, None
                    self._not_before = time.monotonic() + self._settings.vlm_period_s
                    self._counts["asked"] += 1
                    return taken
                self._changed.wait(wait if self._newest is not None else None)
        return None

    def _ask(self, model: ModelProcess, moment: Moment, arrived: float) -> None:
        where = f"frame {moment.omega.key.frame_id}"
        try:
            report = self._query.ask(model, moment)
            self._deliver(report, time.monotonic() - arrived)
        except NoReply as error:
            self._failed(error.reason, f"{where}: {error}")
        except Exception as error:  # whatever a model does, the next query is sent
            self._failed(Reason.CRASH, clean(f"{where}: {type(error).__name__}: {error}"))
        else:
            with self._changed:
                self._counts["answered"] += 1
                self._trouble = ""

    def _failed(self, reason: Reason, text: str) -> None:
        if self._stopping.is_set():  # a model that was killed on purpose
            return
        with self._changed:
            self._counts[reason.value] += 1
            self._trouble = text
        with self._telling:
            if not self._stopping.is_set():
                self._listener.warn(text)

    def _deliver(self, report: SceneReport, latency_s: float) -> None:
        with self._telling:
            # After `close` the listener may have released what it needs.
            if not self._stopping.is_set():
                self._listener.deliver(report, latency_s)

    def _tell_unusable(self, text: str) -> None:
        with self._telling:
            if not self._stopping.is_set():
                self._listener.end_with(text)
