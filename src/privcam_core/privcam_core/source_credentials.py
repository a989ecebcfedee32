"""Reads the user name and the password of a stream from a private file."""

import os
import stat
from dataclasses import dataclass, field
from pathlib import Path
from string import ascii_letters, digits

from privcam_core.source_text import PLACEHOLDERS

# A line of a user name and a password is not longer.
_MAX_BYTES = 4096
_OTHERS = 0o077
_UNRESERVED = frozenset(ascii_letters + digits)
# systemd hands credentials over in a folder of root, where the group that may read is the access list of the service.
_SYSTEMD_OTHERS = 0o037


class CredentialsRejected(ValueError):
    """A file of credentials cannot be used. The message names the file and the remedy, and nothing that is in it."""


@dataclass(frozen=True)
class Credentials:
    """User name and password of a stream. Neither is in its text."""

    user: str = field(repr=False)
    password: str = field(repr=False)

    def put_into(self, url: str) -> str:
        """Return `url` with user name and password: in place of {user} and {password}, else before the host."""
        user, password = (_percent_encode(part) for part in (self.user, self.password))
        if any(placeholder in url for placeholder in PLACEHOLDERS):
            return url.replace(PLACEHOLDERS[0], user).replace(PLACEHOLDERS[1], password)
        scheme, _, rest = url.partition("://")
        return f"{scheme}://{user}:{password}@{rest}"


def _percent_encode(text: str) -> str:
    """Return a text in which only letters and digits stand for themselves (RFC 3986)."""
    return "".join(chr(byte) if chr(byte) in _UNRESERVED else f"%{byte:02X}" for byte in text.encode())


def read_credentials(name: str) -> Credentials:
    """Read `user:password` from the first line of a file.

    name: a path; one that is not absolute lies in the folder of CREDENTIALS_DIRECTORY (systemd's LoadCredential=), or
    else in the working directory. Raises CredentialsRejected where other users may read the file, where it belongs to
    another user, or where it is no such line.
    """
    given = os.environ.get("CREDENTIALS_DIRECTORY")
    from_systemd = given is not None and not Path(name).is_absolute()
    path = Path(given, name) if given is not None else Path(name)
    try:
        text = _read_private(path, from_systemd=from_systemd)
    except OSError as error:
        raise CredentialsRejected(f"source_credentials {path}: cannot be read ({error.strerror})") from error
    user, separator, password = text.partition(":")
    if not separator or not password or not (user + password).isprintable():
        raise CredentialsRejected(f"source_credentials {path}: is not one line of the form user:password")
    return Credentials(user, password)


def _read_private(path: Path, *, from_systemd: bool) -> str:
    # Without waiting: the writer of a pipe may never come.
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        status = os.fstat(descriptor)
        owners, others = ((0, os.geteuid()), _SYSTEMD_OTHERS) if from_systemd else ((os.geteuid(),), _OTHERS)
        if not stat.S_ISREG(status.st_mode):
            raise CredentialsRejected(f"source_credentials {path}: is not a file")
        if status.st_uid not in owners or status.st_mode & others:
            raise CredentialsRejected(
                f"source_credentials {path}: has owner {status.st_uid} and mode {stat.S_IMODE(status.st_mode):o}, and "
                f"has to be of user {os.geteuid()}, readable by nobody else: chown it, and chmod 600"
            )
        data = file.read(_MAX_BYTES + 1)
    try:
        lines = data.decode().splitlines()
    except UnicodeDecodeError as error:
        raise CredentialsRejected(f"source_credentials {path}: is not UTF-8 text") from error
    if len(data) > _MAX_BYTES or len(lines) != 1:
        raise CredentialsRejected(f"source_credentials {path}: is not one line of the form user:password")
    return lines[0]
