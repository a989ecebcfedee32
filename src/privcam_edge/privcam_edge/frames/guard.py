"""Guard process of the frame memory: overwrites what the camera process does not overwrite in time.

Ten times per retention it looks at the age of every frame of its camera process. A live camera wipes frames before they
reach their retention. Where one has reached it, the camera is stopped, frozen or hangs: the guard revokes the ring and
overwrites it. When the camera process has ended, in whatever way, the guard wipes its rings and removes them.

A process of its own, with the standard library and few modules of ours, so that it is small.
"""

import contextlib
import os
import select
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import privcam_core
from privcam_core.process_protection import protect_process
from privcam_core.types.time import boottime_ns
from privcam_edge.frames import ring_file
from privcam_edge.frames.ring_file import SLOT_HEADER, Layout, RingError

CHECKS_PER_RETENTION = 10
# Isolated from the user's environment: `-I -S` takes neither PYTHONPATH nor site-packages.
_PROGRAM = "import sys; sys.path[:0] = sys.argv[1:3]; from privcam_edge.frames import guard; guard.main()"


def start(prefix: str, retention_s: float) -> subprocess.Popen[bytes]:
    """Start a guard for this process and the rings whose names begin with `prefix`."""
    roots = [str(Path(file).parents[levels]) for file, levels in ((__file__, 2), (privcam_core.__file__, 1))]
    arguments = [*roots, __file__, str(os.getpid()), prefix, str(retention_s)]
    # A session of its own: a signal for the camera's process group must not reach the guard.
    command = [sys.executable, "-I", "-S", "-c", _PROGRAM, *arguments]
    return subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL)


@dataclass(frozen=True)
class _WatchedRing:
    """A ring of the camera process, open."""

    descriptor: int
    layout: Layout

    @classmethod
    def open(cls, name: str) -> "_WatchedRing":
        descriptor = ring_file.open_ring(name, os.O_RDWR)
        try:
            return cls(descriptor, ring_file.layout_of(name, descriptor))
        except RingError:
            os.close(descriptor)
            raise

    def wipe_if_late(self) -> None:
        """Revoke and overwrite the ring if one of its frames has reached its retention."""
        if ring_file.is_revoked(self.descriptor):
            # A frame that the camera wrote before it noticed, when it went on.
            for slot in range(self.layout.slots):
                if any(self._header(slot)):
                    self._wipe(slot)
        elif self._is_late():
            # First revoked, then overwritten: a reader that copied zeros finds the ring revoked afterwards.
            ring_file.revoke(self.descriptor)
            for slot in range(self.layout.slots):
                self._wipe(slot)

    def _is_late(self) -> bool:
        due = boottime_ns() - self.layout.retention_ns
        headers = [self._header(slot) for slot in range(self.layout.slots)]
        captured = [SLOT_HEADER.unpack(header)[1] for header in headers if len(header) == SLOT_HEADER.size]
        return any(0 < one <= due for one in captured)

    def _header(self, slot: int) -> bytes:
        return os.pread(self.descriptor, SLOT_HEADER.size, self.layout.base(slot))

    def _wipe(self, slot: int) -> None:
        ring_file.write_all(self.descriptor, [bytes(self.layout.stride)], self.layout.base(slot))


class _Guard:
    """Watches the rings whose names begin with `prefix`."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._rings: dict[str, _WatchedRing] = {}
        self._reported: set[str] = set()

    def check(self) -> None:
        """Wipe the rings that are late."""
        names = self._names()
        for gone in self._rings.keys() - names:
            os.close(self._rings.pop(gone).descriptor)
        for name in names:
            try:
                if name not in self._rings:
                    self._rings[name] = _WatchedRing.open(name)
                self._rings[name].wipe_if_late()
            except FileNotFoundError:
                pass  # it is being made, or was removed just now
            except (OSError, RingError) as error:
                self._report(error)

    def wipe_all(self) -> bool:
        """Overwrite and remove all rings; return whether that succeeded."""
        done = True
        for name in self._names():
            try:
                ring_file.wipe_and_remove(name)
            except FileNotFoundError:
                pass  # the next camera of this name was quicker
            except (OSError, RingError) as error:
                self._report(error)
                done = False
        return done

    def _names(self) -> set[str]:
        return ring_file.names(self._prefix)

    def _report(self, error: Exception) -> None:
        if str(error) not in self._reported:
            self._reported.add(str(error))
            print(f"guard of the frame memory: {error}", file=sys.stderr, flush=True)


def main() -> None:
    """Guard until the camera process has ended. Arguments: two roots, this file, pid, prefix, retention in s."""
    protect_process()
    pid, prefix, retention_s = int(sys.argv[4]), sys.argv[5], float(sys.argv[6])
    guard = _Guard(f"{prefix}{pid:x}-")
    waiting = select.poll()
    # It may have ended already. Then this process has another parent, and the loop is not entered.
    with contextlib.suppress(ProcessLookupError):
        waiting.register(os.pidfd_open(pid), select.POLLIN)
    # Asked after the descriptor was opened: so it is of the camera, and not of a later process with the same number.
    while os.getppid() == pid and not waiting.poll(1e3 * retention_s / CHECKS_PER_RETENTION):
        guard.check()
    sys.exit(not guard.wipe_all())
