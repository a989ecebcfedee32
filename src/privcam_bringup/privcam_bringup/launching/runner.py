"""Runs the processes of a launch file, restarts those that should run again, and ends all of them."""

import asyncio
import ctypes
import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TextIO

from privcam_bringup.launching.process_model import Process
from privcam_bringup.launching.resources import find_executable
from privcam_ros.launcher.launcher_watch import LAUNCHER_VARIABLE
from privcam_ros.start_key import StartKey, StartKeyFile

# How long a process may take to end after SIGINT, then after SIGTERM, before SIGKILL. All have ended after 5 s.
# launch/environment.launch.xml says the same to the stock tool.
SIGTERM_AFTER_S = 2.5
SIGKILL_AFTER_S = 2.0
# A child of a node that left its process group may still hold the pipe; the last lines of the node itself come at once.
LAST_LINES_S = 5.0
READ_BYTES = 65536
# What a process writes, only its user reads.
PRIVATE_UMASK = 0o077
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PR_SET_PDEATHSIG = 1  # prctl(2)
CANNOT_EXECUTE = 126  # as a shell would say

_FIRST_LINE = 4096
# Our nodes handle both signals before they make anything. One that is still loaded would answer SIGINT by a traceback.
_OURS = "privcam_"

_LIBC = ctypes.CDLL(None)


def locate(process: Process) -> list[str]:
    """Return the program of a process as an argument list. Raises LookupError.

    A Python script is started by the interpreter of this process: its own first line fails where the path of the
    interpreter is long or has blanks.
    """
    program = find_executable(process.package, process.executable)
    with program.open("rb") as file:
        first = file.readline(_FIRST_LINE)
    interpreter = [sys.executable] if first.startswith(b"#!") and b"python" in first else []
    return [*interpreter, str(program)]


class Runner:
    """Runs processes until all have ended, a required one has ended, or `stop` is called.

    processes: as from `parse`. environment: for all of them, on top of the environment of this process. out: takes
    their output, each line with the name of its node. find: gives the program of a process.
    A process inherits the key of the start that it names, and no other one, also when it is started again.
    Raises LookupError before anything is started if a program is missing.
    """

    def __init__(
        self,
        processes: Sequence[Process],
        *,
        environment: Mapping[str, str],
        out: TextIO | None = None,
        find: Callable[[Process], list[str]] = locate,
        sigterm_after_s: float = SIGTERM_AFTER_S,
        sigkill_after_s: float = SIGKILL_AFTER_S,
    ) -> None:
        self._programs = [(process, find(process)) for process in processes]
        self._environment = {**os.environ, **environment, LAUNCHER_VARIABLE: str(os.getpid())}
        self._out = out or sys.stdout
        self._ladder = ((signal.SIGINT, sigterm_after_s), (signal.SIGTERM, sigkill_after_s), (signal.SIGKILL, None))
        self._failed: set[int] = set()
        self._stop_asked = threading.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stopping = asyncio.Event()
        numbers = {process.start_key for process in processes if process.start_key is not None}
        self._key_files = {number: StartKeyFile() for number in sorted(numbers)}

    def run(self) -> int:
        """Run to the end. Return 0, or 1 if a process failed and was not started again before the end was asked for."""
        with tempfile.TemporaryDirectory(prefix="privcam_launch_") as folder:
            numbers = count()

            def write_file(text: str) -> Path:
                file = Path(folder) / f"launch_params_{next(numbers)}.yaml"
                file.write_text(text, encoding="utf-8")
                return file

            commands = [(process, process.command(program, write_file)) for process, program in self._programs]
            try:
                asyncio.run(self._run(commands))
            finally:
                for file in self._key_files.values():
                    file.close()
        return 1 if self._failed else 0

    def start_key_of(self, package: str) -> StartKey:
        """Return the key of the start that the processes of a package inherit. Raises LookupError if there is none."""
        for process, _ in self._programs:
            if process.package == package and process.start_key is not None:
                return self._key_files[process.start_key].key
        raise LookupError(f"no process of {package} inherits a key of this start")

    def stop(self) -> None:
        """End all processes; from any thread, at any time."""
        self._stop_asked.set()
        loop = self._loop
        if loop is not None:
            with suppress(RuntimeError):  # the loop has ended meanwhile, and with it all processes
                loop.call_soon_threadsafe(self._stopping.set)

    async def _run(self, commands: list[tuple[Process, list[str]]]) -> None:
        self._stopping = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        if self._stop_asked.is_set():
            return
        with self._signals(self._loop):
            await asyncio.gather(
                *(self._supervise(n, process, command) for n, (process, command) in enumerate(commands))
            )

    @contextmanager
    def _signals(self, loop: asyncio.AbstractEventLoop) -> Iterator[None]:
        here = threading.current_thread() is threading.main_thread()
        # SIGHUP stays ignored below nohup. Not so SIGINT, which a shell ignores for what it starts in the background.
        numbers = [n for n in STOP_SIGNALS if n != signal.SIGHUP or signal.getsignal(n) is not signal.SIG_IGN]
        for number in numbers if here else ():
            loop.add_signal_handler(number, self._stopping.set)
        yield
        for number in numbers if here else ():
            loop.remove_signal_handler(number)

    async def _supervise(self, number: int, process: Process, command: list[str]) -> None:
        while not self._stopping.is_set():
            self._failed.discard(number)
            code = await self._run_once(process, command)
            if self._stopping.is_set():
                return
            if code:
                self._failed.add(number)
            self._say(process.label, f"ended with {_meaning(code)}")
            if process.required:
                self._say(process.label, "is required, so everything ends")
                self._stopping.set()
            if not process.respawn:
                return
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), process.respawn_delay)

    async def _run_once(self, process: Process, command: list[str]) -> int:
        """Run a process to its end, or end it when the launch stops. Return its exit code, negative for a signal."""
        # Our own pipe: with asyncio's, a process counts as running until nobody holds its output open any more.
        reading, writing = os.pipe()
        key_file = None if process.start_key is None else self._key_files[process.start_key]
        try:
            child = await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=writing,
                stderr=asyncio.subprocess.STDOUT,
                env={**self._environment, **process.environment, **(key_file.environment if key_file else {})},
                pass_fds=[key_file.descriptor] if key_file else [],
                umask=PRIVATE_UMASK,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        except OSError as error:
            os.close(reading)
            self._say(process.label, f"cannot be started: {command[0]}: {error.strerror}")
            return CANNOT_EXECUTE
        finally:
            os.close(writing)
        relay = asyncio.create_task(self._relay(process.label, reading))
        ended = asyncio.create_task(child.wait())
        stopped = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
            for number, timeout_s in self._ladder:
                if ended.done():
                    break
                is_starting = process.package.startswith(_OURS) and not _handles(child.pid, signal.SIGTERM)
                _signal_group(child.pid, signal.SIGTERM if is_starting and number == signal.SIGINT else number)
                await asyncio.wait({ended}, timeout=timeout_s)
        finally:  # also what the process itself has started and not ended
            _signal_group(child.pid, signal.SIGKILL)
            stopped.cancel()
        await asyncio.wait({relay}, timeout=LAST_LINES_S)
        relay.cancel()
        return await ended

    async def _relay(self, label: str, reading: int) -> None:
        stream = asyncio.StreamReader()
        transport, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(stream), os.fdopen(reading, "rb", buffering=0)
        )
        rest = b""
        try:
            while chunk := await stream.read(READ_BYTES):
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._say(label, line.decode(errors="replace").rstrip("\r"))
        finally:
            transport.close()
            if rest:
                self._say(label, rest.decode(errors="replace"))

    def _say(self, label: str, line: str) -> None:
        with suppress(BrokenPipeError):  # the reader of our output has ended; the processes go on
            self._out.write(f"[{label}] {line}\n")
            self._out.flush()


def _die_with_parent() -> None:
    # If this runner is killed with SIGKILL it can end nothing any more; then the kernel does it.
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


def _handles(pid: int, number: int) -> bool:
    """Whether a process has a handler for a signal; also where that is not known."""
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    except OSError:
        return True
    caught = next((line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")), "")
    return not caught or bool(int(caught, 16) >> (number - 1) & 1)


def _signal_group(pid: int, number: int) -> None:
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, number)


def _meaning(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"signal {signal.Signals(-code).name}"
