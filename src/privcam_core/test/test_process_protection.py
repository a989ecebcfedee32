"""A process with raw frames writes no core dump, lets no other process look into its memory, and locks its pages."""

import mmap
import os
import signal
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from privcam_core.process_protection import describe_lock, keep_from_disk

PROTECTED_PROGRAM = textwrap.dedent("""
    import ctypes, os, sys
    from privcam_core.process_protection import protect_process
    if len(sys.argv) > 1:
        os.setgroups([]); os.setresgid(65534, 65534, 65534); os.setresuid(65534, 65534, 65534)
        # Another user has closed the process; a program that this user starts is open.
        ctypes.CDLL(None).prctl(4, 1, 0, 0, 0)
        assert os.stat("/proc/self/mem").st_uid == 65534
    key = os.memfd_create("key")
    os.write(key, b"32 bytes")
    protect_process()
    # A key that was handed over as a descriptor is still read, by its number and by its path.
    assert os.pread(key, 8, 0) == b"32 bytes"
    assert open(f"/proc/self/fd/{key}", "rb").read() == b"32 bytes"
    assert str(key) in os.listdir("/proc/self/fd")
    print("protected", flush=True)
    sys.stdin.readline()
""")


def start(*arguments: str) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", PROTECTED_PROGRAM, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "protected\n"
    return process


def limits(pid: int) -> list[str]:
    text = Path(f"/proc/{pid}/limits").read_text()
    return next(line for line in text.splitlines() if line.startswith("Max core file size")).split()[4:6]


def owner_of_memory(pid: int) -> int:
    """Return the owner of the memory of a process for the kernel: root if it may not be dumped."""
    return Path(f"/proc/{pid}/mem").stat().st_uid


@pytest.mark.parametrize("number", [signal.SIGSEGV, signal.SIGABRT, signal.SIGQUIT, signal.SIGBUS])
def test_protected_process_that_crashes_writes_no_core(number: signal.Signals) -> None:
    process = start()
    assert limits(process.pid) == ["0", "0"]
    process.send_signal(number)
    # os.WCOREDUMP says whether the kernel dumped, into whatever place.
    status = os.waitpid(process.pid, 0)[1]
    assert os.WTERMSIG(status) == number
    assert not os.WCOREDUMP(status)


@pytest.mark.skipif(os.geteuid() != 0, reason="becomes another user, which needs root")
def test_memory_of_a_protected_process_is_closed_to_its_own_user() -> None:
    process = start("as another user")
    try:
        assert owner_of_memory(process.pid) == 0
        pid = os.fork()
        if pid == 0:
            try:
                os.setresuid(65534, 65534, 65534)
                for what in ("mem", "maps", "environ"):
                    try:
                        Path(f"/proc/{process.pid}/{what}").read_bytes()
                    except PermissionError:
                        continue
                    os._exit(1)
                Path(f"/proc/{process.pid}/cmdline").read_bytes()  # the launcher finds its nodes by this
                os._exit(0)
            finally:
                os._exit(2)
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    finally:
        process.kill()
        process.wait()


def test_memory_is_locked_and_out_of_core_dumps_where_it_is_allowed() -> None:
    memory = mmap.mmap(-1, 1 << 20)
    locked_before = locked_kib()
    locked = keep_from_disk(memory)
    assert (locked_kib() - locked_before) == (1024 if locked else 0)
    memory.close()


def locked_kib() -> int:
    status = Path("/proc/self/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("VmLck")).split()[1])


def test_limit_that_is_too_low_is_told_with_the_remedy() -> None:
    assert describe_lock(locked=True) == "locked"
    assert "LimitMEMLOCK" in describe_lock(locked=False)
