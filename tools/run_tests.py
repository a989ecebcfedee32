"""`./privcam test`: lint, types, known weaknesses, unit tests, system tests. Further arguments go to pytest."""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path

from privcam_bringup.launching.resources import resource

# Genuine ROS 2 brings pytest plug-ins that do not work with this pytest.
PYTEST = ("pytest", "-p", "no:launch_testing", "-p", "no:launch_ros")
CHECKS = {
    "ruff": (("ruff", "check", "."), ("ruff", "format", "--check", ".")),
    "mypy": (("mypy",),),
    "bandit": (("bandit", "--quiet", "--configfile", "pyproject.toml", "--recursive", "src", "tools", "training"),),
    "pytest": ((*PYTEST, "--durations=10"),),
}
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
        "--only", choices=(*CHECKS, "documents"), help="one of the checks; default: ruff, mypy, bandit, pytest"
    )
    parser.add_argument("--beside-load", action="store_true", help="with one busy loop beside the tests for each core")
    options, further = parser.parse_known_args(argv)
    with busy_cores() if options.beside_load else nullcontext():
        failed = [command for command in list_commands(options.only, further) if not _passes(command)]
    if failed:
        print(f"[test] failed: {', '.join(' '.join(command[:2]) for command in failed)}", file=sys.stderr)
    return 1 if failed else 0


def list_commands(only: str | None, further: Sequence[str]) -> list[list[str]]:
    """Return the modules to run, with their arguments. further: arguments for pytest."""
    if only == "documents":
        return [[*PYTEST, *DOCUMENT_TESTS, *further]]
    commands = [list(command) for name in ([only] if only else CHECKS) for command in CHECKS[name]]
    for command in commands:
        if command[0] == "pytest":
            named = any(Path(argument.split("::")[0]).exists() for argument in further)
            command += [*([] if named else ["src", "training", "tools", "test"]), *further]
    return commands


def _passes(command: Sequence[str]) -> bool:
    print(f"[test] {' '.join(command)}", flush=True)
    root = resource("pyproject.toml").parent
    return subprocess.run([sys.executable, "-m", *command], cwd=root, check=False).returncode == 0
