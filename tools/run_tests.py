"""`./privcam test`: lint, types, unit tests, system tests. Further arguments go to pytest."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from privcam_bringup.launching.resources import resource

# Genuine ROS 2 brings pytest plug-ins that do not work with this pytest.
PYTEST = ("-p", "no:launch_testing", "-p", "no:launch_ros", "--durations=10")


def main(argv: Sequence[str]) -> int:
    """Run all checks, also after one failed; return 0 if all passed."""
    root = resource("pyproject.toml").parent
    checks = [
        ["ruff", "check", "."],
        ["ruff", "format", "--check", "."],
        ["mypy"],
    ]
    paths = [] if any(Path(argument).exists() for argument in argv) else ["src", "training", "tools", "test"]
    checks.append(["pytest", *PYTEST, *paths, *argv])
    failed = []
    for check in checks:
        print(f"[test] {' '.join(check)}", flush=True)
        if subprocess.run([sys.executable, "-m", *check], cwd=root, check=False).returncode:
            failed.append(check[0])
    if failed:
        print(f"[test] failed: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0
