"""Keeps raw frames in the memory of this process from core dumps, debuggers and swap.

Standard library only: the guard process imports this module.
"""

import ctypes
import mmap
import os
import resource

_PR_SET_DUMPABLE = 4
_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.prctl.argtypes = [ctypes.c_int, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong]
_LIBC.mlock.argtypes = [ctypes.c_void_p, ctypes.c_size_t]


def protect_process() -> None:
    """Forbid core dumps of this process, and other processes of the same user to read its memory.

    Programs that it starts begin without this. Raises OSError if the kernel refuses.
    """
    # Two ways to the same end: the limit does not hold for core dumps that are piped into a program.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if _LIBC.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0):
        number = ctypes.get_errno()
        raise OSError(number, f"prctl(PR_SET_DUMPABLE): {os.strerror(number)}")


def keep_from_disk(memory: mmap.mmap) -> bool:
    """Take a writable mapping out of core dumps and lock its pages, so that they are never swapped.

    Returns whether the pages could be locked: the limit RLIMIT_MEMLOCK may be too low.
    """
    memory.madvise(mmap.MADV_DONTDUMP)
    address = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    return bool(_LIBC.mlock(address, len(memory)) == 0)


def describe_lock(*, locked: bool) -> str:
    """Return the text for the diagnostics: whether raw frames can be swapped, and what to do."""
    if locked:
        return "locked"
    limit = resource.getrlimit(resource.RLIMIT_MEMLOCK)[0]
    return f"can be swapped: RLIMIT_MEMLOCK is {limit >> 10} KiB; raise it (LimitMEMLOCK) or forbid swap"
