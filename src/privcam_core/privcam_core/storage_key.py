"""The key that seals what is stored on disk, kept outside of the folder that it protects.

Whoever may write into the state folder alone (a backup that is played back wrongly, another program, a thief of the
disk who has no key) can make no state and no plate that is accepted. Whoever may read the key can: root, and the user
that runs privcam. A sealed file that is older than another one stays sealed.
"""

import hmac
import os
import stat
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from privcam_core.storage import private_folder, state_folder

FILE = "storage.key"
KEY_BYTES = 32
SEAL_BYTES = sha256().digest_size
# What users other than the owner may do with a file.
_OTHERS = 0o077


def keys_folder() -> Path:
    """Return the folder of the key: PRIVCAM_KEYS, else /etc/privcam/keys for root, else privcam/keys in ~/.config.

    Raises ValueError for a PRIVCAM_KEYS that is not absolute, and for a folder within the state folder.
    """
    own, shared = os.environ.get("PRIVCAM_KEYS"), Path(os.environ.get("XDG_CONFIG_HOME") or "")
    if own:
        if not Path(own).is_absolute():
            raise ValueError(f"PRIVCAM_KEYS: {own!r} is not an absolute path; set one that begins with /")
        folder = Path(own)
    elif os.geteuid() == 0:
        folder = Path("/etc/privcam/keys")
    else:
        folder = (shared if shared.is_absolute() else Path.home() / ".config") / "privcam/keys"
    if folder.resolve().is_relative_to(state_folder().resolve()):
        raise ValueError(f"PRIVCAM_KEYS: {folder} is in the state folder, which it is to protect; set another one")
    return folder


@dataclass(frozen=True)
class StorageKey:
    """Seals stored bytes of one purpose and one camera with HMAC-SHA256. secret: KEY_BYTES random bytes."""

    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.secret) != KEY_BYTES:
            raise ValueError(f"storage key: has {len(self.secret)} bytes, needs {KEY_BYTES}")

    @classmethod
    def open(cls) -> "StorageKey":
        """Read the key of this user, and make it where there is none: what was sealed before is then refused.

        Raises ValueError where the file is not a private one of this user, OSError where it cannot be read or made.
        """
        path = private_folder(keys_folder()) / FILE
        try:
            return cls._read(path)
        except FileNotFoundError:
            return cls._make(path)

    @classmethod
    def _read(cls, path: Path) -> "StorageKey":
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode) or status.st_uid != os.geteuid() or status.st_mode & _OTHERS:
                raise ValueError(
                    f"{path}: is not a file of this user that nobody else may read (owner {status.st_uid}, mode "
                    f"{stat.S_IMODE(status.st_mode):o}); chown it and chmod it to 600, or delete it and commission anew"
                )
            secret = file.read(KEY_BYTES + 1)
        if len(secret) != KEY_BYTES:
            raise ValueError(f"{path}: is not a key of {KEY_BYTES} bytes; delete it, and commission the rooms again")
        return cls(secret)

    @classmethod
    def _make(cls, path: Path) -> "StorageKey":
        # Complete before it has its name, so that a process that starts at the same time reads all of it or makes none.
        partial = path.with_name(f".{FILE}.{os.urandom(8).hex()}")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(os.urandom(KEY_BYTES))
                file.flush()
                os.fsync(file.fileno())
            os.link(partial, path)
        except FileExistsError:
            pass  # another process was first: its key counts
        finally:
            partial.unlink()
        return cls._read(path)

    def seal(self, purpose: str, camera_id: str, *parts: bytes) -> bytes:
        """Return the SEAL_BYTES of the seal over the parts, each with its length, for this purpose and camera."""
        code = hmac.new(self.secret, digestmod=sha256)
        for part in (purpose.encode(), camera_id.encode(), *parts):
            code.update(len(part).to_bytes(8, "big") + part)
        return code.digest()

    def check(self, seal: bytes, purpose: str, camera_id: str, *parts: bytes) -> bool:
        """Return whether `seal` is the seal over exactly these parts."""
        return hmac.compare_digest(seal, self.seal(purpose, camera_id, *parts))
