"""A node ends with its launcher, whatever is between the two and whatever ended the launcher."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import pytest

from privcam_ros.launcher.launcher_watch import END_LIMIT_S, LAUNCHER_VARIABLE

# Against a test that hangs.
HANG_LIMIT_S = 300.0
NODE = """
import os, signal, sys, time
from privcam_ros.launcher.launcher_watch import LauncherGone, end_with_launcher
if "deaf" in sys.argv:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
try:
    end_with_launcher()
except LauncherGone as error:
    sys.exit(f"gone: {error}")
print(os.getpid(), flush=True)
time.sleep(600)
"""
# It starts the words after the first as a process, which inherits its output, and waits for its end.
LAUNCHER = f"""
import os, subprocess, sys
subprocess.run(sys.argv[1:], env={{**os.environ, {LAUNCHER_VARIABLE!r}: str(os.getpid())}})
"""


@contextmanager
def launched(*node: str) -> Iterator[tuple["subprocess.Popen[str]", psutil.Process]]:
    """Yield a launcher and the node that it started, when the node watches."""
    command = [sys.executable, "-c", LAUNCHER, *node]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as launcher:
        assert launcher.stdout is not None
        found = psutil.Process(int(launcher.stdout.readline()))
        yield launcher, found
        launcher.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.parametrize("between", [[], ["/bin/sh", "-c", '"$0" "$@" & wait']], ids=["directly", "through a shell"])
def test_node_ends_when_its_launcher_has_ended(number: signal.Signals, between: list[str]) -> None:
    with launched(*between, sys.executable, "-c", NODE) as (launcher, node):
        launcher.send_signal(number)
        launcher.wait()
        node.wait(HANG_LIMIT_S)


def test_node_that_takes_no_signal_is_ended_by_the_kernel() -> None:
    assert END_LIMIT_S < 5.0
    with launched(sys.executable, "-c", NODE, "deaf") as (launcher, node):
        launcher.kill()
        launcher.wait()
        node.wait(HANG_LIMIT_S)


def start_alone(launcher: str | None) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if name != LAUNCHER_VARIABLE}
    if launcher is not None:
        environment[LAUNCHER_VARIABLE] = launcher
    code = NODE.replace("time.sleep(600)", "")
    return subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)


def test_node_whose_launcher_ended_before_it_was_ready_ends_too() -> None:
    with subprocess.Popen(["true"]) as ended:
        pass
    stranger = subprocess.Popen(["sleep", "600"])
    try:
        for launcher in (str(ended.pid), str(stranger.pid), "x", "-1", "9" * 30):
            done = start_alone(launcher)
            assert done.returncode == 1 and done.stderr.startswith("gone: the launcher (process "), done.stderr
    finally:
        stranger.kill()
        stranger.wait()


def test_node_without_a_launcher_goes_on() -> None:
    assert start_alone(None).returncode == 0
