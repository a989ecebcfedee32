"""Guard process of the frame memory: waits until the camera process has ended in any way, then wipes its rings.

Run as a process of its own (standard library only, so that it is small): guard.py PID PREFIX
"""

import os
import select
import subprocess
import sys
from pathlib import Path


def start(prefix: str) -> subprocess.Popen[bytes]:
    """Start a guard for this process and the rings whose names begin with `prefix`."""
    # A session of its own: a SIGINT or SIGKILL for the camera's process group must not reach the guard.
    command = [sys.executable, "-I", "-S", __file__, str(os.getpid()), prefix]
    return subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL)


def wipe(path: Path) -> None:
    """Overwrite a file in shared memory with zeros and remove it."""
    with path.open("r+b", buffering=0) as file:
        left = os.fstat(file.fileno()).st_size
        while left > 0:
            left -= file.write(bytes(min(left, 1 << 20)))
    path.unlink()


def main(pid: int, prefix: str) -> None:
    """Wait for the end of `pid`, then wipe its rings. Rings carry the owner's pid in their names."""
    try:
        waiting = select.poll()
        waiting.register(os.pidfd_open(pid), select.POLLIN)
        waiting.poll()
    except ProcessLookupError:
        pass  # it has ended already: wipe its rings at once
    for path in Path("/dev/shm").glob(f"{prefix}{pid:x}-*"):
        wipe(path)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
