"""Runs the model in a process of its own, which can be killed when it hangs, and may crash or run out of memory."""

import multiprocessing
import signal
import time
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import Any

from privcam_core.niceness import BESIDE_NICENESS, be_nice
from privcam_vlm.backends.backend import open_backend
from privcam_vlm.protocol.prompt import Prompt
from privcam_vlm.protocol.text import clean
from privcam_vlm.vlm_errors import NoReply, Reason, Unusable
from privcam_vlm.vlm_settings import Settings

# A model may be in a step that cannot be interrupted. One that is silent for another whole budget and this, in s,
# hangs.
HANG_TIMEOUT_S = 5.0
# Kinds of messages from the process.
_READY = "ready"
_REPLY = "reply"
_NO_REPLY = "no reply"
_UNUSABLE = "unusable"
_CRASHED = "crashed"


class ModelProcess:
    """Starts a process that opens the backend of the settings, and sends it prompts. One thread asks; any may kill."""

    def __init__(self, settings: Settings) -> None:
        # A fork would take over the threads, locks and sockets of the middleware.
        context = multiprocessing.get_context("spawn")
        self._pipe, far_end = context.Pipe()
        self._hang_timeout_s = settings.vlm_budget_s + HANG_TIMEOUT_S
        self._process = context.Process(target=_serve, args=(settings, far_end), name="vision_language", daemon=True)
        self._process.start()
        far_end.close()

    @property
    def pid(self) -> int | None:
        """Id of the process."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process.is_alive()

    def wait_until_ready(self) -> None:
        """Wait until the model is loaded. Raises Unusable for wrong settings, NoReply where the process failed."""
        kind, text = self._receive()
        if kind == _UNUSABLE:
            raise Unusable(text)
        if kind != _READY:
            raise NoReply(Reason.CRASH, f"the model was not loaded: {text}")

    def reply(self, prompt: Prompt, deadline: float) -> str:
        """Return the model's text, unchecked. deadline: of `time.monotonic`, in s; the reply may come later.

        Raises NoReply. A process that hangs is killed.
        """
        try:
            self._pipe.send((prompt, deadline))
            heard = self._pipe.poll(max(deadline - time.monotonic(), 0.0) + self._hang_timeout_s)
        except OSError as error:
            raise self._ended() from error
        if not heard:
            self.kill()
            raise NoReply(Reason.TIMEOUT, "the model's process hung and was killed")
        kind, *what = self._receive()
        if kind == _NO_REPLY:
            raise NoReply(Reason(what[0]), what[1])
        if kind != _REPLY:
            raise NoReply(Reason.CRASH, what[0])
        return str(what[0])

    def kill(self) -> None:
        """End the process at once."""
        self._process.kill()
        self._process.join()

    def _receive(self) -> Any:
        try:
            return self._pipe.recv()
        except (EOFError, OSError) as error:
            raise self._ended() from error

    def _ended(self) -> NoReply:
        self._process.join()
        return NoReply(Reason.CRASH, f"the model's process ended with exit code {self._process.exitcode}")


def _serve(settings: Settings, pipe: Connection) -> None:
    """Open the backend and reply until the other end is gone: the main function of the process."""
    # Ctrl-C reaches the whole group; this process ends with the node, not before.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Alarms depend on other processes.
    be_nice(BESIDE_NICENESS)
    with suppress(EOFError, OSError):  # the node is gone, perhaps killed
        _reply_all(settings, pipe)


def _reply_all(settings: Settings, pipe: Connection) -> None:
    try:
        backend = open_backend(settings)
    except Unusable as error:
        pipe.send((_UNUSABLE, str(error)))
        return
    except Exception as error:  # a library's own, or no memory
        pipe.send((_CRASHED, _describe(error)))
        return
    pipe.send((_READY, ""))
    while True:
        prompt, deadline = pipe.recv()
        reply: tuple[str, ...]
        try:
            reply = _REPLY, backend.reply(prompt, deadline)
        except NoReply as error:
            reply = _NO_REPLY, error.reason.value, error.text
        except Exception as error:  # the next query may be answered
            reply = _CRASHED, _describe(error)
        pipe.send(reply)


def _describe(error: Exception) -> str:
    return clean(f"{type(error).__name__}: {error}"[:1000])
