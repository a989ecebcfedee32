"""The key of one start of the edge: the launcher makes it, its nodes inherit it, nobody else can read it.

The key lies in an anonymous, sealed memory file. Its descriptor is inherited; the environment names the number of the
descriptor, never the key. The kernel lets nobody but root and processes of the same user open another process's
descriptors, so another user of the host cannot get it. Nothing of it is on a disk, in an argument or in a parameter.
"""

import fcntl
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

# Names the inherited descriptor, in decimal digits.
DESCRIPTOR_VARIABLE = "PRIVCAM_START_KEY_FD"
KEY_BYTES = 32
_NAME = "privcam_start_key"
# Of a descriptor that cannot be changed any more, by anybody who has it.
SEALS = fcntl.F_SEAL_SEAL | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_WRITE


class StartKeyError(RuntimeError):
    """There is no key of this start. The message says why, and what to do."""


class StartKey:
    """The secret that the nodes of one start share. Keys of purposes are derived from it."""

    def __init__(self, secret: bytes, *, is_secret: bool = True) -> None:
        if len(secret) != KEY_BYTES:
            raise ValueError(f"secret: {len(secret)} bytes instead of {KEY_BYTES}")
        self._secret = secret
        self.is_secret = is_secret

    @classmethod
    def inherited(cls) -> "StartKey":
        """Return the key that this process inherited from its launcher. Raises StartKeyError if there is none.

        It may be called as often as needed. The descriptor is not handed on to the processes that this one starts.
        """
        text = os.environ.get(DESCRIPTOR_VARIABLE, "")
        if not text:
            raise StartKeyError(
                "no key of this start: start the nodes with `./privcam launch` or `ros2 launch`, which hand one to "
                "them; to run a node alone, for a test, add `--ros-args -p insecure:=true`"
            )
        where = f"{DESCRIPTOR_VARIABLE}={text}"
        try:
            descriptor = int(text)
            is_regular = stat.S_ISREG(os.fstat(descriptor).st_mode)
            seals = fcntl.fcntl(descriptor, fcntl.F_GET_SEALS) if is_regular else 0
        except (ValueError, OverflowError, OSError) as error:
            raise StartKeyError(
                f"{where} names no memory file of the launcher ({error}); start the nodes with a launcher, or unset it"
            ) from error
        secret = os.pread(descriptor, KEY_BYTES + 1, 0) if seals & SEALS == SEALS else b""
        if len(secret) != KEY_BYTES:
            raise StartKeyError(f"{where} is no sealed key; start the nodes with a launcher, or unset it")
        os.set_inheritable(descriptor, False)
        return cls(secret)

    @classmethod
    def public(cls) -> "StartKey":
        """Return the key that everybody knows, for nodes that run alone with `insecure`. It protects nothing."""
        return cls(bytes(KEY_BYTES), is_secret=False)

    def derive(self, purpose: str) -> bytes:
        """Return the 32 bytes of the key for a purpose (HKDF-SHA256). Other purposes give independent keys."""
        return HKDF(SHA256(), KEY_BYTES, salt=None, info=f"privcam start key: {purpose}".encode()).derive(self._secret)

    def __repr__(self) -> str:
        """Tell nothing of the key, also in a log."""
        return f"StartKey({'secret' if self.is_secret else 'public'})"


class StartKeyFile:
    """The launcher's end: a new key in a sealed memory file, which processes inherit for as long as it is open."""

    def __init__(self) -> None:
        secret = os.urandom(KEY_BYTES)
        self.key = StartKey(secret)
        # Inheritable: a launcher that does not close descriptors hands it on by itself.
        self.descriptor = os.memfd_create(_NAME, os.MFD_ALLOW_SEALING)
        os.fchmod(self.descriptor, stat.S_IRUSR)
        os.write(self.descriptor, secret)
        fcntl.fcntl(self.descriptor, fcntl.F_ADD_SEALS, SEALS)

    @property
    def environment(self) -> Mapping[str, str]:
        """What the environment of a process that inherits the descriptor has to say."""
        return {DESCRIPTOR_VARIABLE: str(self.descriptor)}

    def close(self) -> None:
        """Close the launcher's descriptor. Processes that were started keep theirs."""
        os.close(self.descriptor)


def close_other_start_keys() -> None:
    """Close the inherited descriptors of keys of starts, but for the own one.

    The stock launch tool hands every inheritable descriptor to every process: a process of the cloud would hold the key
    of the edge that is in the same launch. Each process calls this before it reads what others sent.
    """
    own = os.environ.get(DESCRIPTOR_VARIABLE, "")
    for entry in list(Path("/proc/self/fd").iterdir()):
        with suppress(FileNotFoundError):  # the descriptor of this listing
            if entry.name != own and str(entry.readlink()).startswith(f"/memfd:{_NAME} "):
                os.close(int(entry.name))
