"""Remembers on disk which set-up steps are complete, and lets only one set-up run at a time."""

import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

Say = Callable[[str], None]


class Ledger:
    """Complete steps and the inputs that they were done with: one small JSON file beside the workspace.

    A step is forgotten on disk before it starts, together with the steps that build on it. So a set-up that is killed
    at any moment leaves a record that names only what is complete.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._done: dict[str, str] = json.loads(path.read_text())
        except (FileNotFoundError, json.JSONDecodeError):
            self._done = {}

    def forget(self, *steps: str) -> None:
        """Drop the record of these steps, or of all steps if none is named, from memory and from disk."""
        dropped = [step for step in steps or tuple(self._done) if self._done.pop(step, None) is not None]
        if dropped:
            self._write()

    def inputs_of(self, step: str) -> str | None:
        """Return what a step was done with, None if it was not."""
        return self._done.get(step)

    def needs(self, step: str, inputs: str) -> bool:
        """Whether a step has to run: it was never done, or with other inputs."""
        return self._done.get(step) != inputs

    def run(
        self, step: str, inputs: str, action: Callable[[], None], say: Say, *, followers: Sequence[str] = ()
    ) -> None:
        """Run `action` unless it is already done with the same `inputs`. followers: steps that build on this one."""
        if not self.needs(step, inputs):
            return
        started = time.monotonic()
        say(f"{step} ...")
        self.forget(step, *followers)
        action()
        self._done[step] = inputs
        self._write()
        say(f"{step}: done in {time.monotonic() - started:.0f} s")

    def _write(self) -> None:
        """Replace the file in one step, so that a reader finds the old record or the new one and never a part."""
        self._path.parent.mkdir(exist_ok=True)
        new = self._path.with_suffix(".new")
        with new.open("w") as file:
            file.write(json.dumps(self._done, indent=1))
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


@contextmanager
def only_one(path: Path, say: Say) -> Iterator[None]:
    """Hold the lock file `path`; wait, and say so, while another process holds it.

    The commands of the steps inherit the lock: after a set-up was killed, the next one waits until the last of these
    commands has ended too, and does not remove files below a pip that still writes.
    """
    path.parent.mkdir(exist_ok=True)
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 32, 0).decode(errors="replace").strip()
            say(f"another set-up of this checkout runs (process {holder or 'unknown'}); waiting for its end")
            fcntl.flock(lock, fcntl.LOCK_EX)
        os.ftruncate(lock, 0)
        os.pwrite(lock, str(os.getpid()).encode(), 0)
        os.set_inheritable(lock, True)
        yield
    finally:
        os.close(lock)
