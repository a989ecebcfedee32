"""Where privcam keeps what has to outlive a process: a folder of the user's own that nobody else can read."""

import os
import tempfile
from pathlib import Path


def state_folder() -> Path:
    """Return the folder for state: PRIVCAM_STATE, else privcam in XDG_STATE_HOME or ~/.local/state. It may not exist.

    Raises ValueError for a PRIVCAM_STATE that is not an absolute path: it would be another folder for each process.
    """
    own = os.environ.get("PRIVCAM_STATE")
    if own:
        if not Path(own).is_absolute():
            raise ValueError(f"PRIVCAM_STATE: {own!r} is not an absolute path; set one that begins with /")
        return Path(own)
    # A relative XDG folder is invalid and to be ignored, says the XDG base directory specification.
    shared = Path(os.environ.get("XDG_STATE_HOME") or "")
    return (shared if shared.is_absolute() else Path.home() / ".local/state") / "privcam"


def plates_folder() -> Path:
    """Return the folder of the commissioned plates, one folder a camera."""
    return state_folder() / "plates"


def private_folder(path: Path) -> Path:
    """Make `path` and what is missing above it with mode 0700, and return it. An existing `path` gets that mode."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    for folder in reversed(missing):
        folder.mkdir(mode=0o700, exist_ok=True)
    path.chmod(0o700)
    return path


def write_private(path: Path, data: bytes) -> None:
    """Write `data` to `path` with mode 0600: after a crash the file is the old one or the new one, never half of it."""
    # mkstemp gives the file mode 0600 from its first moment.
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
