"""`./privcam test`: lint, types, known weaknesses, system tests, unit tests. Further arguments go to pytest."""

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO

from privcam_bringup.launching.resources import resource

# Genuine ROS 2 brings pytest plug-ins that do not work with this pytest.
PYTEST = ("pytest", "-p", "no:launch_testing", "-p", "no:launch_ros")
CHECKS = {
    "ruff": (("ruff", "check", "."), ("ruff", "format", "--check", ".")),
    "mypy": (("mypy",),),
    "bandit": (("bandit", "--quiet", "--configfile", "pyproject.toml", "--recursive", "src", "tools", "training"),),
}
# System tests that share neither cameras nor networks with the others.
APART = ("test/link", "test/fuzzing", "test/rules")
# Some unit tests wait for streams and processes, so one worker more than there are cores. Each needs 1.5 GB.
WORKERS = min(len(os.sched_getaffinity(0)) + 1, 5)
UNIT_TESTS = ("src", "training", "tools")
PYTEST_RUNS = (
    ("test", *(f"--ignore={folder}" for folder in APART)),
    APART,
    (*UNIT_TESTS, f"--numprocesses={WORKERS}", "--dist=worksteal"),
)
# They take seconds, and what they find is worth knowing before anything else.
FIRST = ("ruff",)
# What computes all the time gives way to the system tests, whose nodes are nicer than a process without this.
NICELY = ("nice", "-n", "10")
DOCUMENT_TESTS = ("tools/test", "test/rules", "src/privcam_cli/test/test_documented_commands.py")
# A loop that keeps one core busy until its parent, whose process id it is given, has ended.
BUSY_LOOP = "import os, sys\nwhile os.getppid() == int(sys.argv[1]):\n    sum(range(100_000))"


@contextmanager
def busy_cores() -> Iterator[list[int]]:
    """Keep every core busy during the block, one process for each. Yields their process ids."""
    command = [sys.executable, "-S", "-c", BUSY_LOOP, str(os.getpid())]
    loops = [subprocess.Popen(command, stdin=subprocess.DEVNULL) for _ in os.sched_getaffinity(0)]
    try:
        yield [loop.pid for loop in loops]
    finally:
        for loop in loops:
            loop.kill()
            loop.wait()


def main(argv: Sequence[str]) -> int:
    """Run the checks, also after one failed; return 0 if all passed."""
    parser = argparse.ArgumentParser(prog="privcam test", description=__doc__, allow_abbrev=False)
    parser.add_argument(
        "--only",
        choices=(*CHECKS, "pytest", "documents"),
        help="one of the checks; default: all",
    )
    parser.add_argument("--beside-load", action="store_true", help="with one busy loop beside the tests for each core")
    options, further = parser.parse_known_args(argv)
    commands = list_commands(options.only, further)
    with busy_cores() if options.beside_load else nullcontext():
        stages = list_stages(commands, apart=options.beside_load)
        failed = [command for stage in stages for command in _failed_side_by_side(stage)]
    if failed:
        print(f"[test] failed: {', '.join(' '.join(command[:2]) for command in failed)}", file=sys.stderr)
    return 1 if failed else 0


def list_commands(only: str | None, further: Sequence[str]) -> list[list[str]]:
    """Return the modules to run, with their arguments. further: arguments for pytest."""
    if only == "documents":
        return [[*PYTEST, *DOCUMENT_TESTS, *further]]
    named = any(Path(argument.split("::")[0]).exists() for argument in further)
    tests = ((),) if named else PYTEST_RUNS
    # The system tests are the longest: they print as they go.
    checks = {
        "ruff": CHECKS["ruff"],
        "pytest": tuple((*PYTEST, "--durations=10", *command, *further) for command in tests),
        **CHECKS,
    }
    return [list(command) for name in ([only] if only else checks) for command in checks[name]]


def list_stages(commands: Sequence[list[str]], *, apart: bool) -> list[list[list[str]]]:
    """Return the commands that run at once, stage by stage.

    System tests wait most of the time, and nothing else keeps more than one core busy, so everything but the first
    checks runs at once. apart: the system tests run before all others: on a busy machine they need what is left of it.
    """
    first = [[command] for command in commands if command[0] in FIRST]
    rest = [command for command in commands if command[0] not in FIRST]
    waiting = [command for command in rest if apart and command[0] == "pytest" and UNIT_TESTS[0] not in command]
    return [*first, *(stage for stage in (waiting, [one for one in rest if one not in waiting]) if stage)]


def _failed_side_by_side(commands: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """Run all of them at once; return those that failed. The first prints as it goes, the others when it has ended."""
    root = resource("pyproject.toml").parent
    runs: list[tuple[Sequence[str], IO[bytes] | None, subprocess.Popen[bytes]]] = []
    failed = []
    with ExitStack() as outputs:
        for command in commands:
            print(f"[test] {' '.join(command)}", flush=True)
            file = outputs.enter_context(TemporaryFile()) if runs else None
            gives_way = runs and APART[0] not in command
            program = [*(NICELY if gives_way else ()), sys.executable, "-m", *command]
            run = subprocess.Popen(program, cwd=root, stdout=file, stderr=file and subprocess.STDOUT)
            runs.append((command, file, run))
        for command, file, run in runs:
            if run.wait() != 0:
                failed.append(command)
            if file is not None:
                print(f"[test] output of {' '.join(command)}", flush=True)
                file.seek(0)
                shutil.copyfileobj(file, sys.stdout.buffer)
                sys.stdout.buffer.flush()
    return failed
