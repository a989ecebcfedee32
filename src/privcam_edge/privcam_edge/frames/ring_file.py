"""The files of the frame memory: where they lie, what is in them, and how they are opened without trust in a name.

A ring is the file `frames` in a folder of its own in /dev/shm: the folder has mode 0700 and a name that nobody can
guess, the file has mode 0600. Everybody may write in /dev/shm, so a name there says nothing: these functions follow no
link and check the owner, kind, mode and size of what was opened.

Imports the standard library only: the guard process (guard.py) imports this module, and it shall be small.
"""

import fcntl
import os
import secrets
import stat
import struct
from dataclasses import dataclass
from pathlib import Path

SHM = Path("/dev/shm")  # nosec B108: everything opened there is checked, see below
FILE_NAME = "frames"
# Name of the file until its header is written.
_UNFINISHED_NAME = "unfinished"
FOLDER_MODE = 0o700
FILE_MODE = 0o600
MAGIC = b"privcam2"
# Magic, slots, bytes of the largest frame, retention (ns), 1 when the guard revoked the ring.
RING_HEADER = struct.Struct("<8sQQQQ")
RING_HEADER_BYTES = 4096
REVOKED = struct.Struct("<Q")
REVOKED_OFFSET = RING_HEADER.size - REVOKED.size
# Generation, time of capture (boottime_ns), frame number and stamp of κ, height, width, camera of κ.
SLOT_HEADER = struct.Struct("<QQQQII64s")
SLOT_HEADER_BYTES = 128
# Slots begin at multiples of this.
ALIGNMENT = 4096
# O_NONBLOCK: the open of a pipe with the name of a ring must not wait.
SAFE_OPEN = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


class RingError(RuntimeError):
    """The ring cannot be created, opened or used. The message names the ring and the remedy."""


@dataclass(frozen=True)
class Layout:
    """What the header of a ring says. capacity: bytes of the largest frame."""

    slots: int
    capacity: int
    retention_ns: int

    @property
    def stride(self) -> int:
        """Bytes from one slot to the next."""
        return -(-(SLOT_HEADER_BYTES + self.capacity) // ALIGNMENT) * ALIGNMENT

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return RING_HEADER_BYTES + self.slots * self.stride

    def base(self, slot: int) -> int:
        """Offset of a slot's header in the file."""
        return RING_HEADER_BYTES + slot * self.stride

    def header(self) -> bytes:
        """Return the header of a ring that was not revoked."""
        return RING_HEADER.pack(MAGIC, self.slots, self.capacity, self.retention_ns, 0)


@dataclass(frozen=True)
class OwnedRing:
    """The descriptors of the writer. folder: holds the lock that says that the ring has an owner."""

    folder: int
    file: int


def create(name: str, layout: Layout) -> OwnedRing:
    """Create a ring with its folder, locked, and with its memory reserved.

    Raises RingError where /dev/shm is not safe or has too little memory.
    """
    shared = SHM.stat().st_mode
    if shared & stat.S_IWOTH and not shared & stat.S_ISVTX:
        raise RingError(f"{SHM}: every user may rename what others have there; set its mode back: chmod 1777 {SHM}")
    (SHM / name).mkdir(mode=FOLDER_MODE)
    folder = _open_folder(name)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        file = os.open(_UNFINISHED_NAME, os.O_RDWR | os.O_CREAT | os.O_EXCL | SAFE_OPEN, FILE_MODE, dir_fd=folder)
        try:
            # Reserve now: a full /dev/shm must be an error here, not at some later frame.
            os.posix_fallocate(file, 0, layout.size)
            write_all(file, [layout.header()], 0)
            # Only now it is seen by the guard and by readers.
            os.rename(_UNFINISHED_NAME, FILE_NAME, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            os.close(file)
            raise
    except OSError as error:
        remove(name)
        os.close(folder)
        raise RingError(
            f"frame memory {SHM / name}: {layout.size >> 20} MiB could not be reserved ({error.strerror}). "
            "Enlarge /dev/shm (Docker: --shm-size) or lower `slots`."
        ) from error
    return OwnedRing(folder, file)


def wipe_unowned(name: str) -> bool:
    """Overwrite and remove a ring whose writer has ended. Returns False if its writer is alive.

    Raises RingError for anything that is not a ring of this user; it is left alone.
    """
    folder = _open_folder(name)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        wipe_and_remove(name)
    finally:
        os.close(folder)
    return True


def wipe_and_remove(name: str) -> None:
    """Overwrite and remove a ring of this user. Raises RingError for anything else; it is left alone."""
    try:
        descriptor = open_ring(name, os.O_RDWR)
    except FileNotFoundError:
        pass  # its writer ended before it was complete: it never held a frame
    else:
        try:
            wipe(descriptor)
        finally:
            os.close(descriptor)
    remove(name)


def names(prefix: str) -> set[str]:
    """Return what begins with `prefix` in /dev/shm, rings and other things."""
    return {entry.name for entry in os.scandir(SHM) if entry.name.startswith(prefix)}


def unused_name(prefix: str) -> str:
    """Return a name for a ring of this process that nobody can guess and so nobody can occupy."""
    return f"{prefix}{os.getpid():x}-{secrets.token_hex(8)}"


def open_ring(name: str, flags: int) -> int:
    """Open the file of a ring and return its descriptor. flags: os.O_RDONLY or os.O_RDWR.

    Raises FileNotFoundError where there is none, and RingError for anything that is not a ring of this user: a link, a
    pipe, a folder or file of somebody else, or one that others may open.
    """
    folder = _open_folder(name)
    try:
        descriptor = os.open(FILE_NAME, flags | SAFE_OPEN, dir_fd=folder)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RingError(f"frame memory {SHM / name / FILE_NAME}: not a ring, it was left alone: {error}") from error
    finally:
        os.close(folder)
    try:
        _require(SHM / name / FILE_NAME, os.fstat(descriptor), stat.S_IFREG, FILE_MODE)
    except RingError:
        os.close(descriptor)
        raise
    return descriptor


def _open_folder(name: str) -> int:
    try:
        folder = os.open(SHM / name, os.O_RDONLY | os.O_DIRECTORY | SAFE_OPEN)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RingError(f"frame memory {SHM / name}: not the folder of a ring, it was left alone: {error}") from error
    try:
        _require(SHM / name, os.fstat(folder), stat.S_IFDIR, FOLDER_MODE)
    except RingError:
        os.close(folder)
        raise
    return folder


def _require(path: Path, status: os.stat_result, kind: int, mode: int) -> None:
    fault = ""
    if stat.S_IFMT(status.st_mode) != kind:
        fault = "it is of another kind than a ring"
    elif status.st_uid != os.geteuid():
        fault = f"it belongs to user {status.st_uid}"
    elif stat.S_IMODE(status.st_mode) != mode:
        fault = f"its mode is {stat.S_IMODE(status.st_mode):o} and not {mode:o}"
    elif kind == stat.S_IFREG and status.st_nlink > 1:
        fault = "it has a second name"
    if fault:
        raise RingError(f"frame memory {path}: not a ring of this user, {fault}; it was left alone, look who made it")


def layout_of(name: str, descriptor: int) -> Layout:
    """Return what the header of an open ring says. Raises RingError unless it agrees with the size of the file."""
    header = os.pread(descriptor, RING_HEADER.size, 0)
    size = os.fstat(descriptor).st_size
    if len(header) == RING_HEADER.size:
        magic, slots, capacity, retention_ns, _ = RING_HEADER.unpack(header)
        layout = Layout(slots, capacity, retention_ns)
        if magic == MAGIC and slots and capacity and layout.size == size:
            return layout
    raise RingError(f"frame memory {SHM / name}: its header does not fit its size of {size} bytes; restart the camera")


def is_revoked(descriptor: int) -> bool:
    """Whether the guard revoked the ring, also where its header can no longer be read: no frame in it is valid then."""
    return os.pread(descriptor, REVOKED.size, REVOKED_OFFSET) != REVOKED.pack(0)


def revoke(descriptor: int) -> None:
    """Make every frame of the ring invalid for its readers and its writer, for good."""
    write_all(descriptor, [REVOKED.pack(1)], REVOKED_OFFSET)


def write_all(descriptor: int, parts: list[bytes | memoryview], offset: int) -> None:
    """Write parts one after the other in one system call, which a stopped process has made or not made.

    Raises RingError if not everything was written.
    """
    size = sum(len(part) for part in parts)
    written = os.pwritev(descriptor, parts, offset)
    if written != size:
        raise RingError(f"frame memory: {written} of {size} bytes could be written; is /dev/shm full?")


def wipe(descriptor: int) -> None:
    """Overwrite a whole ring with zeros, whatever its header says."""
    position, size = 0, os.fstat(descriptor).st_size
    while position < size:
        position += os.pwrite(descriptor, bytes(min(size - position, 1 << 20)), position)


def remove(name: str) -> None:
    """Remove the file and the folder of a ring of this user, as far as they are there.

    Raises RingError if the folder is not a ring's, or holds something else as well.
    """
    try:
        folder = _open_folder(name)
    except FileNotFoundError:
        return
    try:
        for file in {FILE_NAME, _UNFINISHED_NAME} & {entry.name for entry in os.scandir(folder)}:
            os.unlink(file, dir_fd=folder)
        (SHM / name).rmdir()
    except FileNotFoundError:
        pass  # the guard, or the camera, has removed it at the same time
    except OSError as error:
        raise RingError(f"frame memory {SHM / name}: could not be removed: {error}; look what is in it") from error
    finally:
        os.close(folder)
