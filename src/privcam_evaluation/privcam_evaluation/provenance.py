"""The `made` block of every result file: which command made it, when, from which revision, on which machine."""

import os
import platform
import shlex
import subprocess
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import psutil

from privcam_core.source_text import redact_text

_CPUINFO = Path("/proc/cpuinfo")
_GIT_TIMEOUT_S = 10.0


def made(command: Sequence[str]) -> dict[str, Any]:
    """Return how a result came about, ready for JSON.

    command: the words of the command line, as `["privcam", "bench", "--only", "speed"]`; of a URL the host is kept.
    `date` is UTC. `revision` is null outside of a git checkout, and ends in `+` where files that git knows were changed
    since that revision.
    """
    return {
        "command": shlex.join(map(redact_text, command)),
        "date": datetime.now(timezone.utc).replace(microsecond=0).isoformat(),
        "revision": revision(),
        "machine": {
            "cores": os.cpu_count(),
            "processor": processor_name(),
            "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        },
    }


def revision(folder: Path | None = None) -> str | None:
    """Return the git revision of the code, None where there is none. folder: default, the one of this file."""
    where = str(folder or Path(__file__).resolve().parent)
    commit = _git(where, "rev-parse", "--short=12", "HEAD")
    if not commit:
        return None
    return f"{commit}+" if _git(where, "status", "--porcelain", "--untracked-files=no") else commit


def processor_name(cpuinfo: Path = _CPUINFO) -> str:
    """Return the name of the processor as Linux tells it, else what the platform says, `unknown` without either."""
    try:
        lines = cpuinfo.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name") and ":" in line]
    return names[0] if names else platform.processor() or platform.machine() or "unknown"


def _git(folder: str, *arguments: str) -> str:
    """Return what git prints, an empty text where git is missing or fails."""
    try:
        done = subprocess.run(
            ["git", "-C", folder, *arguments], capture_output=True, text=True, timeout=_GIT_TIMEOUT_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
