"""Makes the shared memory of the middleware readable for this user alone."""

import os
import re
import stat
from pathlib import Path

SHARED_MEMORY = Path("/dev/shm")  # nosec B108: only files that this process maps
PRIVATE_MODE = 0o600
# The segments and ports of Fast DDS; their locks begin with sem.
_FILE = re.compile(r"(?:sem\.)?fastrtps_\w+")


def restrict_shared_memory(folder: Path = SHARED_MEMORY, maps: Path = Path("/proc/self/maps")) -> list[Path]:
    """Set mode 0600 on the shared memory files of Fast DDS that this process maps, and return those that had another.

    Fast DDS creates them with mode 0644 and sets it against the umask, so that every user of the host could read all
    messages. Files of other users are left alone.
    """
    changed = []
    mapped = {line.split(maxsplit=5)[-1] for line in maps.read_text(encoding="utf-8").splitlines()}
    for file in (folder / name for name in sorted(Path(path).name for path in mapped) if _FILE.fullmatch(name)):
        try:
            descriptor = os.open(file, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
        except (FileNotFoundError, PermissionError):
            continue  # removed meanwhile, or of another user
        try:
            status = os.fstat(descriptor)
            if status.st_uid == os.getuid() and stat.S_IMODE(status.st_mode) != PRIVATE_MODE:
                os.fchmod(descriptor, PRIVATE_MODE)
                changed.append(file)
        finally:
            os.close(descriptor)
    return changed
