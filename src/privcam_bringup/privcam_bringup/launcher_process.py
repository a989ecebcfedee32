"""Runs `./privcam launch` in a process of its own, with its nodes below it, so that a test can kill any of them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import TracebackType

import psutil

# The launcher itself kills its nodes after 5 s; on a busy machine this takes longer.
END_TIMEOUT_S = 60.0


def node_name(process: psutil.Process) -> str:
    """Return the name of the node that a process runs, empty for any other process."""
    try:
        words: list[str] = process.cmdline()
    except psutil.Error:
        return ""
    for word in words:
        if word.startswith("__node:="):
            return word.removeprefix("__node:=")
        if word.endswith("_composed"):
            return Path(word).name
    return ""


class LauncherProcess(AbstractContextManager["LauncherProcess"]):
    """`./privcam launch NAME ARGUMENTS` from the beginning to the end of a block, and again after `kill`.

    environment: as from `graph_environment`. log: all output is appended to it.
    """

    def __init__(self, name: str, arguments: Mapping[str, str], *, environment: Mapping[str, str], log: Path) -> None:
        words = [f"{key}:={value}" for key, value in arguments.items()]
        self._command = [sys.executable, "-m", "privcam_cli", "launch", name, *words]
        self._environment = {**os.environ, **environment}
        self._launcher: subprocess.Popen[bytes] | None = None
        self.log = log

    def __enter__(self) -> "LauncherProcess":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the launcher."""
        with self.log.open("ab") as out:
            self._launcher = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
            )

    @property
    def running(self) -> bool:
        """Whether the launcher runs."""
        return self._launcher is not None and self._launcher.poll() is None

    def nodes(self) -> dict[str, psutil.Process]:
        """Return the processes of the nodes that run now, by name of the node."""
        if self._launcher is None:
            return {}
        with suppress(psutil.NoSuchProcess):
            children = psutil.Process(self._launcher.pid).children(recursive=True)
            return {name: child for child in children if (name := node_name(child))}
        return {}

    def kill(self) -> float:
        """Kill the launcher and all of its nodes with SIGKILL, as a power cut would; return the time, in s."""
        launcher, nodes = self._launcher, self.nodes()
        killed_s = time.time()
        if launcher is None:
            return killed_s
        launcher.kill()
        for process in nodes.values():
            with suppress(psutil.NoSuchProcess):
                process.kill()
        launcher.wait()
        return killed_s

    def kill_node(self, name: str) -> float:
        """Kill one node with SIGKILL; return the time, s since the epoch. Raises KeyError if it does not run."""
        process = self.nodes()[name]
        killed_s = time.time()
        process.kill()
        return killed_s

    def stop(self) -> None:
        """End everything in order, as Ctrl-C does."""
        if self._launcher is None:
            return
        self._launcher.send_signal(signal.SIGINT)
        try:
            self._launcher.wait(END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.kill()
        self._launcher = None
