"""Finds processes that run from a folder, so that nothing is removed under them."""

import os
from pathlib import Path

PROC = Path("/proc")


def processes_using(folder: Path, proc: Path = PROC) -> dict[int, str]:
    """Return the process ids, with a short name of each, of other processes that were started from `folder` or have
    a file below it mapped. Of processes of other users, and of the nodes that hold raw frames, only the start is known.
    """
    prefix = f"{folder}{os.sep}"
    found = {}
    for process in proc.glob("[0-9]*"):
        pid = int(process.name)
        if pid == os.getpid():
            continue
        try:
            words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        except OSError:  # it has ended meanwhile
            continue
        try:
            mapped = (process / "maps").read_text(errors="replace")
        except OSError:  # of another user, or closed: nodes that hold raw frames let nobody look into their memory
            mapped = ""
        # The interpreter of a virtual environment is a link, so /proc/PID/exe names the one behind the link.
        if words[0].startswith(prefix) or f" {prefix}" in mapped:
            found[pid] = _short_name(words)
    return found


def _short_name(words: list[str]) -> str:
    """Return the script or module of a command line; an interpreter says little."""
    following = [word for word in words[1:] if word and not word.startswith("-")]
    return Path((following or words)[0]).name
