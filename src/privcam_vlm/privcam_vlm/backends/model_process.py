"""The model in a process of its own: what hangs can be killed, and what crashes or eats all memory dies alone."""

import multiprocessing
import os
import signal
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from privcam_vlm.backends.backend import open_backend
from privcam_vlm.protocol.prompt import Question
from privcam_vlm.protocol.text import clean
from privcam_vlm.vlm_errors import NoAnswer, Reason, Unusable
from privcam_vlm.vlm_settings import Settings

# The reports that alarms hang on go first on every core.
NICENESS = 19
# A model may be in the middle of a step that cannot be broken off. One that is silent for as long as the budget once
# more, and these s, hangs.
PATIENCE_S = 5.0
_READY, _ANSWER, _NO_ANSWER, _UNUSABLE, _CRASHED = "ready", "answer", "no answer", "unusable", "crashed"


class ModelProcess:
    """Starts a process that opens the backend of the settings, and asks it. One thread asks; any may kill."""

    def __init__(self, settings: Settings) -> None:
        # A fork would take over the threads, locks and sockets of the middleware.
        context = multiprocessing.get_context("spawn")
        self._pipe, far_end = context.Pipe()
        self._patience_s = settings.vlm_budget_s + PATIENCE_S
        self._process = context.Process(target=_serve, args=(settings, far_end), name="vision_language", daemon=True)
        self._process.start()
        far_end.close()

    @property
    def pid(self) -> int | None:
        """The process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it can be asked."""
        return self._process.is_alive()

    def wait_until_ready(self) -> None:
        """Wait until the model is loaded. Raises Unusable for wrong settings, NoAnswer where the process failed."""
        kind, text = self._receive()
        if kind == _UNUSABLE:
            raise Unusable(text)
        if kind != _READY:
            raise NoAnswer(Reason.CRASH, f"the model was not loaded: {text}")

    def answer(self, question: Question, deadline: float) -> str:
        """Return the model's text, unchecked. deadline: of `time.monotonic`, in s; the answer may come later.

        Raises NoAnswer. A process that hangs is killed.
        """
        try:
            self._pipe.send((question, deadline))
            heard = self._pipe.poll(max(deadline - time.monotonic(), 0.0) + self._patience_s)
        except OSError as error:
            raise self._ended() from error
        if not heard:
            self.kill()
            raise NoAnswer(Reason.TIMEOUT, "the model's process hung and was killed")
        kind, *what = self._receive()
        if kind == _NO_ANSWER:
            raise NoAnswer(Reason(what[0]), what[1])
        if kind != _ANSWER:
            raise NoAnswer(Reason.CRASH, what[0])
        return str(what[0])

    def kill(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()
        self._process.join()

    def _receive(self) -> Any:
        try:
            return self._pipe.recv()
        except (EOFError, OSError) as error:
            raise self._ended() from error

    def _ended(self) -> NoAnswer:
        self._process.join()
        return NoAnswer(Reason.CRASH, f"the model's process ended with exit code {self._process.exitcode}")


def _serve(settings: Settings, pipe: Connection) -> None:
    """Open the backend and answer until the other end is gone. This is what the process runs."""
    # Ctrl-C reaches the whole group; this process ends with the node, not before.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.setpriority(os.PRIO_PROCESS, 0, NICENESS)
    with suppress(EOFError, OSError):  # the node is gone, perhaps killed
        _answer_all(settings, pipe)


def _answer_all(settings: Settings, pipe: Connection) -> None:
    try:
        backend = open_backend(settings)
    except Unusable as error:
        pipe.send((_UNUSABLE, str(error)))
        return
    except Exception as error:  # a library's own, or no memory
        pipe.send((_CRASHED, _told(error)))
        return
    pipe.send((_READY, ""))
    while True:
        question, deadline = pipe.recv()
        reply: tuple[str, ...]
        try:
            reply = _ANSWER, backend.answer(question, deadline)
        except NoAnswer as error:
            reply = _NO_ANSWER, error.reason.value, error.text
        except Exception as error:  # the next question may be answered
            reply = _CRASHED, _told(error)
        pipe.send(reply)


def _told(error: Exception) -> str:
    return clean(f"{type(error).__name__}: {error}"[:1000])
