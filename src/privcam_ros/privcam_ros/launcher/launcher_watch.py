"""Ends a node when the launcher that started it has ended, in whatever way.

The stock launch tool leaves its processes behind when it gets SIGTERM, and every launcher does when it is killed. No
camera may go on capturing then. The launcher names itself in the environment; a process that nobody launched, or that
was started by hand, goes on without one.
"""

import os
import select
import signal
import threading
from collections.abc import Iterator
from pathlib import Path

# Process number of the launcher, in decimal digits.
LAUNCHER_VARIABLE = "PRIVCAM_LAUNCHER_PID"
# After the launcher's end a node has this long to end in order, in s, before the kernel ends it. The guard process of
# the frame memory overwrites what is left then.
END_LIMIT_S = 4.0


class LauncherGone(RuntimeError):
    """The launcher has ended before the node was ready, or the variable names no process above this one."""


def end_with_launcher() -> None:
    """From now on, end this process with SIGTERM when its launcher ends. Does nothing without a launcher.

    The signal's default action or a handler of this process ends it; if it still runs END_LIMIT_S later, SIGALRM does.
    Raises LauncherGone where the launcher has ended already.
    """
    text = os.environ.get(LAUNCHER_VARIABLE, "")
    if not text:
        return
    try:
        launcher = os.pidfd_open(int(text))
    except (ValueError, OverflowError, OSError) as error:
        raise LauncherGone(_explain(text)) from error
    # Asked after the descriptor was opened: so it is of the launcher, and not of a later process of the same number.
    if int(text) not in _ancestors():
        os.close(launcher)
        raise LauncherGone(_explain(text))
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    threading.Thread(target=_wait, args=(launcher,), name="launcher watch", daemon=True).start()


def _explain(text: str) -> str:
    return f"the launcher (process {text} in {LAUNCHER_VARIABLE}) has ended; start the nodes with it, or unset it"


def _wait(launcher: int) -> None:
    waiting = select.poll()
    waiting.register(launcher, select.POLLIN)
    waiting.poll()
    # The timer first: it also ends a process that does not take the signal any more.
    signal.setitimer(signal.ITIMER_REAL, END_LIMIT_S)
    os.kill(os.getpid(), signal.SIGTERM)


def _ancestors() -> Iterator[int]:
    """Yield the numbers of the processes above this one: its parent is not always the launcher, but e.g. a debugger."""
    pid = os.getppid()
    while pid > 0:
        yield pid
        # The name, in parentheses, may contain anything; the parent is the second word after it.
        pid = int(Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()[1])
