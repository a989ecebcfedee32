"""The key that seals what is stored on disk, kept outside of the folder that it protects.

Whoever may write into the state folder alone (a backup that is played back wrongly, another program, a thief of the
disk who has no key) can make no state and no plate that is accepted. Whoever may read the key can: root, and the user
that runs privcam. A sealed file that is older than another one stays sealed; so the number of the newest one is kept
beside the key, where an old file cannot bring its own number along.
"""

import errno
import hmac
import os
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path

from privcam_core.storage import private_folder, read_private, state_folder, write_private

FILE = "storage.key"
KEY_BYTES = 32
SEAL_BYTES = sha256().digest_size
# Of the number of a file: more digits than files can be written.
_NUMBER_DIGITS = 18


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
    """Seals stored bytes of one purpose and one camera with HMAC-SHA256.

    secret: KEY_BYTES random bytes. folder: where the key lies, and the numbers of the newest files beside it; None for
    a key of a measurement, which lies nowhere and knows no numbers.
    """

    secret: bytes = field(repr=False)
    folder: Path | None = None

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
        secret = read_private(path, KEY_BYTES + 1)
        if len(secret) != KEY_BYTES:
            raise ValueError(f"{path}: is not a key of {KEY_BYTES} bytes; delete it, and commission the rooms again")
        return cls(secret, path.parent)

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

    def newest(self, purpose: str, camera_id: str) -> int:
        """Return the number of the newest file that was sealed, 0 where there was none, or the key lies nowhere.

        Raises OSError where the number cannot be read, or is none of this user.
        """
        path = self.number_file(purpose, camera_id)
        if path is None:
            return 0
        try:
            text = read_private(path, _NUMBER_DIGITS + 1).decode(errors="replace")
        except FileNotFoundError:
            return 0
        except ValueError as error:
            raise PermissionError(errno.EPERM, str(error)) from error
        if not (text.isascii() and text.isdecimal() and len(text) <= _NUMBER_DIGITS):
            raise OSError(errno.EINVAL, "is no number; delete it, and what was sealed before is refused", path)
        return int(text)

    def note_newest(self, purpose: str, camera_id: str, number: int) -> None:
        """Keep the number of the newest file, after it was written. Raises OSError where it cannot be kept."""
        path = self.number_file(purpose, camera_id)
        if path is not None:
            write_private(path, str(number).encode())

    def is_newest(self, purpose: str, camera_id: str, number: int) -> bool:
        """Return whether a sealed file with this number is the newest one. Raises OSError as `newest`.

        After a crash between a file and its number the file is one ahead, but for the first one: a number that was
        removed looks the same. Where the key lies nowhere, every file is.
        """
        if self.folder is None:
            return True
        newest = self.newest(purpose, camera_id)
        return newest > 0 and 0 <= number - newest <= 1

    def number_file(self, purpose: str, camera_id: str) -> Path | None:
        """Return the file with the number of the newest file, None where the key lies nowhere."""
        return self.folder and self.folder / f"{camera_id}.{purpose.replace(' ', '_')}.newest"
