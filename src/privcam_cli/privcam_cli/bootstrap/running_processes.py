"""Finds processes that run from a folder, so that nothing is removed under them."""

import os
from pathlib import Path

PROC = Path("/proc")


def processes_using(folder: Path, proc: Path = PROC) -> dict[int, str]:
    """Return the process ids, with a short name of each, of other processes that were started from `folder` or have
    a file below it mapped. Processes of other users cannot be read and are not in the result.
    """
    prefix = f"{folder}{os.sep}"
    found = {}
    for process in proc.glob("[0-9]*"):
        pid = int(process.name)
        if pid == os.getpid():
            continue
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
            mapped = (process / "maps").read_text(errors="replace")
        except OSError:  # it has ended meanwhile, or belongs to another user
            continue
        # The interpreter of a virtual environment is a link, so /proc/PID/exe names the one behind the link.
        if words[0].startswith(prefix) or f" {prefix}" in mapped:
            found[pid] = _short_name(words)
    return found


def _short_name(words: list[str]) -> str:
    """Return the script or module of a command line; an interpreter says little."""
    following = [word for word in words[1:] if word and not word.startswith("-")]
    return Path((following or words)[0]).name
