"""Starts processes at one end of the link testbed and collects the events that the probe prints."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

from link_testbed.network_namespaces import End
from link_testbed.probe import Event
from privcam_bringup.launching import graph_environment
from privcam_bringup.launching.resources import find_executable
from privcam_ros.start_key import StartKeyFile

# Against a test that hangs: what has not happened by then will not happen, on the slowest machine either.
HANG_LIMIT_S = 300.0
POLL_S = 0.5
END_S = 60.0

Matches = Callable[[Event], bool]

# The testbed stands in for the launcher: the bridge and the probe that seals Ω for it share this key.
KEY_FILE = StartKeyFile()

HARNESS = Path(__file__).resolve().parents[1]


class Side:
    """Starts processes in one network namespace and one ROS domain. folder: of their logs and their state."""

    def __init__(self, end: End, domain_id: int, folder: Path) -> None:
        self.end = end
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self._environment = {
            **os.environ,
            **graph_environment(domain_id),
            "PRIVCAM_STATE": str(folder / "state"),
            "PRIVCAM_KEYS": str(folder / "keys"),
            **KEY_FILE.environment,
        }

    def node(
        self, package: str, executable: str, log: str, *, namespace: str, parameters: Mapping[str, object]
    ) -> "subprocess.Popen[bytes]":
        """Start a node. What it says is appended to `log`."""
        command = [str(find_executable(package, executable)), "--ros-args", "-r", f"__ns:={namespace}"]
        for name, value in parameters.items():
            command += ["-p", f"{name}:={json.dumps(value)}"]  # quotes, so that "7" stays a text
        with (self.folder / f"{log}.log").open("ab") as out:
            return subprocess.Popen(
                self.end.command(*command),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                env=self._environment,
                pass_fds=[KEY_FILE.descriptor],
            )

    def module(self, module: str, log: str, *arguments: str) -> "subprocess.Popen[str]":
        """Start a module of the harness with pipes to its stdin and from its stdout."""
        with (self.folder / f"{log}.log").open("ab") as out:
            return subprocess.Popen(
                self.end.command(sys.executable, "-m", module, *arguments),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=out,
                text=True,
                # The harness is in no package: its modules are found from the folder `test`.
                cwd=HARNESS,
                env=self._environment,
                pass_fds=[KEY_FILE.descriptor],
            )


def end_process(process: "subprocess.Popen[bytes] | subprocess.Popen[str]", number: int = signal.SIGINT) -> None:
    """End a process with a signal, and for certain if that does not help."""
    if process.poll() is not None:
        return
    process.send_signal(number)
    try:
        process.wait(HANG_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


class Probe:
    """Runs `link_testbed.probe` at one side and keeps the events that it prints. Ends with its block."""

    def __init__(self, side: Side, log: str, *arguments: str) -> None:
        self._process = side.module("link_testbed.probe", log, *arguments)
        self._events: list[Event] = []
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._listen, name=log)
        self._thread.start()

    def __enter__(self) -> "Probe":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()  # which ends it
        try:
            self._process.wait(END_S)
        except subprocess.TimeoutExpired:
            end_process(self._process, signal.SIGKILL)
        self._thread.join()

    def say(self, line: str) -> None:
        """Send a command to the probe."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{line}\n")
        self._process.stdin.flush()

    def mark(self) -> int:
        """Return the number of events so far, for `expect` and `events`."""
        with self._changed:
            return len(self._events)

    def events(self, what: str = "", space: str = "", since: int = 0) -> list[Event]:
        """Return events so far, in order."""
        with self._changed:
            found = self._events[since:]
        return [one for one in found if (not what or one.what == what) and (not space or one.space == space)]

    def expect(self, matches: Matches, what: str, *, since: int = 0, timeout_s: float = HANG_LIMIT_S) -> Event:
        """Wait for an event and return the first one that matches. Raises TimeoutError, naming `what`."""
        end = time.monotonic() + timeout_s
        with self._changed:
            while True:
                for event in self._events[since:]:
                    if matches(event):
                        return event
                since = len(self._events)
                if self._process.poll() is not None:
                    raise RuntimeError(f"the probe ended with {self._process.returncode}, waiting for {what}")
                if time.monotonic() >= end:
                    raise TimeoutError(f"waited {timeout_s:g} s for {what}")
                self._changed.wait(POLL_S)

    def _listen(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event = Event(**json.loads(line))
            with self._changed:
                self._events.append(event)
                self._changed.notify_all()
