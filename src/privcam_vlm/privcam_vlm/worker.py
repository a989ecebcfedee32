"""Asks a model about the newest Ω, from a thread of its own, so that nobody ever waits for a model."""

import time
from collections import Counter
from collections.abc import Callable
from threading import Condition, Event, Lock, Thread

from privcam_core.events.scene_report import SceneReport
from privcam_core.types.omega import Omega
from privcam_vlm.backends.model_process import ModelProcess
from privcam_vlm.protocol.text import clean
from privcam_vlm.vlm_errors import NoAnswer, Reason, Unusable
from privcam_vlm.vlm_query import Interview
from privcam_vlm.vlm_scene import Moment, Scene
from privcam_vlm.vlm_settings import Settings

# A model whose process died is loaded again after this, in s: not at once, it may be the memory that is short.
LOAD_AGAIN_S = 10.0


class Worker:
    """Takes every Ω of one camera, and asks about the newest at most once in `vlm_period_s`.

    deliver: called with each report and the seconds from Ω's arrival to it. unusable: called once with what to do where
    the settings turn out to be wrong, after which nothing is asked. complain: called with each failure. All are called
    from the worker's thread, and not after `close`.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        deliver: Callable[[SceneReport, float], None],
        unusable: Callable[[str], None],
        complain: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._deliver, self._unusable, self._complain = deliver, unusable, complain
        self._scene, self._interview = Scene(), Interview(settings)
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
            self._newest = self._scene.take(omega), time.monotonic()
            self._changed.notify()

    @property
    def trouble(self) -> str:
        """What went wrong last, empty once a question was answered well again."""
        with self._changed:
            return self._trouble

    def facts(self) -> dict[str, int]:
        """Return whether the model is loaded, what was asked and answered so far, and how often not, by reason."""
        with self._changed:
            counted = {f"vlm_{name}": count for name, count in self._counts.items()}
            return {"vlm_loaded": int(self._loaded), **counted}

    def close(self) -> None:
        """Ask nothing more, and end the model."""
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
                self._tell(self._unusable, str(error))
                return
            except NoAnswer as error:
                self._failed(error.reason, f"vlm_model {self._settings.vlm_model}: {error.text}")
            self._stopping.wait(LOAD_AGAIN_S)

    def _work(self) -> None:
        """Load the model and ask it until its process or everything ends."""
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
        """Wait for an Ω, and until the next question may be asked. None: the end."""
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
            report = self._interview.ask(model, moment)
            self._tell(self._deliver, report, time.monotonic() - arrived)
        except NoAnswer as error:
            self._failed(error.reason, f"{where}: {error}")
        except Exception as error:  # the model is a guest here: whatever happens, the next question is asked
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
        self._tell(self._complain, text)

    def _tell(self, listener: Callable[..., None], *what: object) -> None:
        with self._telling:
            # Whoever closed this has begun to take apart what a listener needs.
            if not self._stopping.is_set():
                listener(*what)
