"""The environment of a graph on one host: Fast DDS over shared memory, nothing of ROS beyond this host."""

import logging
import os
import re
import time
from pathlib import Path

from privcam_bringup.launching.parser import evaluate
from privcam_bringup.launching.resources import resource

LOGGER = logging.getLogger(__name__)

SHARED_MEMORY = Path("/dev/shm")  # nosec B108: only looked at
SEGMENT_BYTES = 16 * 1024 * 1024  # segment_size in config/fastdds_shm.xml, one per process
MAX_DOMAIN_ID = 101  # above it Fast DDS's ports reach into those that Linux hands out on its own
# A file is made a moment before it is mapped; younger ones are left alone.
YOUNG_S = 10.0

_FILE = re.compile(r"(?:sem\.)?(fastrtps_(?:port\d+|[0-9a-f]+))(?:_el|_sl|_mutex)?")


def graph_environment(domain_id: int) -> dict[str, str]:
    """Return the environment variables that every process of a graph needs, after cleaning up behind dead ones.

    domain_id: ROS domain, 0 to 101. The variables are those of launch/environment.launch.xml. Raises ValueError.
    """
    if not 0 <= domain_id <= MAX_DOMAIN_ID:
        raise ValueError(f"ROS domain {domain_id} is not in [0, {MAX_DOMAIN_ID}]; set ROS_DOMAIN_ID to one that is")
    removed = remove_stale_shared_memory()
    if removed:
        LOGGER.info("removed %d shared memory files of processes that were killed", len(removed))
    variables = evaluate(resource("launch/environment.launch.xml"), {}).environment
    return {**variables, "ROS_DOMAIN_ID": str(domain_id)}


def shared_memory_warning(processes: int, folder: Path = SHARED_MEMORY) -> str | None:
    """Return what to tell the user if `processes` Fast DDS segments do not fit into shared memory.

    Fast DDS says nothing then: it goes on without shared memory and loses pictures.
    """
    needed = processes * SEGMENT_BYTES
    try:
        status = os.statvfs(folder)
    except OSError as error:
        return f"{folder} cannot be used ({error.strerror}), so pictures will be lost; mount a tmpfs there"
    free = status.f_bavail * status.f_frsize
    if free >= needed:
        return None
    return (
        f"{folder} has {free >> 20} MiB free and {processes} processes need {needed >> 20} MiB, so pictures may be "
        "lost between nodes; make it larger (Docker: --shm-size=1g) or use composed:=true"
    )


def remove_stale_shared_memory(
    folder: Path = SHARED_MEMORY, processes: Path = Path("/proc"), young_s: float = YOUNG_S
) -> list[Path]:
    """Remove Fast DDS files of this user that no process maps or has open, and return them.

    A process that is killed leaves them behind. The files of one segment go together or stay together. Processes
    of other containers cannot be seen: do not share the host's /dev/shm between containers.
    """
    used = _names_in_use(processes)
    segments: dict[str, list[Path]] = {}
    for file in folder.glob("*fastrtps_*"):
        match = _FILE.fullmatch(file.name)
        if match:
            segments.setdefault(match[1], []).append(file)
    now = time.time()
    removed = []
    for files in segments.values():
        if any(file.name in used or not _is_ours_and_old(file, now - young_s) for file in files):
            continue
        for file in files:
            file.unlink(missing_ok=True)
            removed.append(file)
    return removed


def _is_ours_and_old(file: Path, newest: float) -> bool:
    try:
        status = file.lstat()
    except FileNotFoundError:
        return False
    return status.st_uid == os.getuid() and status.st_ctime <= newest


def _names_in_use(processes: Path) -> set[str]:
    """Return the names of all Fast DDS files that processes map or have open, as far as we may look."""
    names: set[str] = set()
    for process in processes.glob("[0-9]*"):
        try:
            paths = [line.split(maxsplit=5)[-1] for line in (process / "maps").read_text().splitlines()]
            paths += [str(link.readlink()) for link in (process / "fd").iterdir()]
        except OSError:  # gone meanwhile, or another user's, whose files are not ours to remove
            continue
        names.update(Path(path).name for path in paths if "fastrtps_" in path)
    return names
