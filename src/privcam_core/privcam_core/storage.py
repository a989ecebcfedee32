"""Folders for state that outlives a process, readable only by the user, and atomic writes."""

import errno
import os
import stat
import tempfile
from pathlib import Path

# What users other than the owner may do with a file.
_OTHERS = 0o077
_OTHERS_READ = 0o044


def state_folder() -> Path:
    """Return the folder for state: PRIVCAM_STATE, else privcam in XDG_STATE_HOME or ~/.local/state. It may not exist.

    Raises ValueError for a PRIVCAM_STATE that is not absolute, because it would depend on the working directory.
    """
    own = os.environ.get("PRIVCAM_STATE")
    if own:
        if not Path(own).is_absolute():
            raise ValueError(f"PRIVCAM_STATE: {own!r} is not an absolute path; set one that begins with /")
        return Path(own)
    # The XDG base directory specification requires that a relative folder is ignored.
    shared = Path(os.environ.get("XDG_STATE_HOME") or "")
    return (shared if shared.is_absolute() else Path.home() / ".local/state") / "privcam"


def plates_folder() -> Path:
    """Return the folder of the approved plates, one folder for each camera."""
    return state_folder() / "plates"


def private_folder(path: Path) -> Path:
    """Create `path` and its missing parents with mode 0700, and return it. An existing `path` gets that mode.

    Raises OSError for a link, or a folder of another user: in a folder that others may write, anybody can have put it
    there.
    """
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        owner = os.fstat(descriptor).st_uid
        if owner != os.geteuid():
            raise PermissionError(errno.EPERM, f"belongs to user {owner}, not to this one; choose another folder", path)
        os.fchmod(descriptor, 0o700)
    finally:
        os.close(descriptor)
    return path


def read_private(path: Path, most: int, forbidden: int = _OTHERS) -> bytes:
    """Return the first `most` bytes of a file of this user that nobody else may open, or just not write.

    forbidden: mode bits that it may not have. Links are not followed, and a pipe does not make it wait. Raises OSError,
    and ValueError for any other file.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & forbidden:
            what = "read" if forbidden & _OTHERS_READ else "write"
            raise ValueError(
                f"{path}: is not a file of this user that nobody else may {what} (owner {status.st_uid}, mode "
                f"{stat.S_IMODE(status.st_mode):o}); chown it and chmod it to 600, or delete it"
            )
        return file.read(most)


def write_private(path: Path, data: bytes) -> None:
    """Write `data` to `path` atomically, with mode 0600: after a crash the file is the old or the new one."""
    # mkstemp creates the file with mode 0600.
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    partial = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise
