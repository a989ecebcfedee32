"""Credentials of one end of the link: its certificate, and the names of its permitted peers.

`./privcam keys` makes one for each end. It (mode 0700, files 0600) holds `ca.pem`, `certificate.pem`, `key.pem` and
`access.json`. The common name of a certificate is `<role>.<name>.<generation>`, for example `camera.room1.2`. A
certificate is revoked by removing its name from the `access.json` of all peers; its successor has the next generation.
"""

import json
import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from cryptography.x509.oid import NameOID

from privcam_core.storage import state_folder

CA_FILE, CERTIFICATE_FILE, KEY_FILE, ACCESS_FILE = "ca.pem", "certificate.pem", "key.pem", "access.json"

# A common name has at most 64 characters (X.509), which leaves this many between the role and the generation.
MAX_NAME = 48
_NAME = re.compile(rf"[a-z0-9_]{{1,{MAX_NAME}}}")
_COMMON_NAME = re.compile(rf"(?P<role>camera|cloud|viewer)\.(?P<name>{_NAME.pattern})\.(?P<generation>[1-9]\d{{0,5}})")


class Role(str, Enum):
    """Role of a certificate."""

    CAMERA = "camera"  # publishes its own Ω and replies to queries
    CLOUD = "cloud"  # listens; subscribes and queries
    VIEWER = "viewer"  # connects to a cloud; subscribes and queries


class InvalidCredentials(ValueError):
    """A folder of credentials cannot be used. The text says what is wrong, where, and what to do."""


@dataclass(frozen=True)
class CommonName:
    """The name in a certificate. Raises ValueError unless `name` is 1 to 48 of a-z, 0-9 and _, and generation ≥ 1."""

    role: Role
    name: str
    generation: int

    def __post_init__(self) -> None:
        if _NAME.fullmatch(self.name) is None:
            raise ValueError(f"name: {self.name[:80]!r} is not 1 to {MAX_NAME} of a-z, 0-9 and _")
        if not 1 <= self.generation < 10**6:
            raise ValueError(f"generation: {self.generation} is not in 1..999999")

    def __str__(self) -> str:
        return f"{self.role.value}.{self.name}.{self.generation}"

    @classmethod
    def parse(cls, text: str) -> "CommonName":
        """Return the name that `str` wrote. Raises ValueError for anything else."""
        match = _COMMON_NAME.fullmatch(text)
        if match is None:
            raise ValueError(f"common name: {text[:80]!r} is not (camera|cloud|viewer).<name>.<generation>")
        return cls(Role(match["role"]), match["name"], int(match["generation"]))


@dataclass(frozen=True)
class Credentials:
    """One end's certificate and key, checked, and the names that may be at the other end of a connection."""

    folder: Path
    identity: CommonName
    not_before: datetime
    expires: datetime
    allowed: tuple[CommonName, ...]

    @property
    def name(self) -> str:
        """The common name of the certificate."""
        return str(self.identity)

    @property
    def role(self) -> Role:
        """What the certificate is good for."""
        return self.identity.role

    @property
    def camera_id(self) -> str | None:
        """The camera that this is, None for a cloud or a viewer."""
        return self.identity.name if self.role is Role.CAMERA else None

    @property
    def ca(self) -> Path:
        """The certificate of the authority that all ends trust."""
        return self.folder / CA_FILE

    @property
    def certificate(self) -> Path:
        """The certificate of this end."""
        return self.folder / CERTIFICATE_FILE

    @property
    def key(self) -> Path:
        """The private key of this end."""
        return self.folder / KEY_FILE

    def allowed_names(self, role: Role) -> tuple[str, ...]:
        """Return the common names with this role that may connect."""
        return tuple(str(name) for name in self.allowed if name.role is role)

    def days_left(self, now: datetime) -> float:
        """Return the days until the certificate expires; negative once it has. now: with a time zone."""
        return (self.expires - now) / timedelta(days=1)


def keys_folder() -> Path:
    """Return the folder of all credentials on this machine, one folder an end. It may not exist."""
    return state_folder() / "keys"


def default_folder(name: str) -> Path:
    """Return where the credentials of the camera, cloud or viewer `name` lie by default."""
    return keys_folder() / name


def load(
    folder: Path, *, role: Role | None = None, camera_id: str | None = None, now: datetime | None = None
) -> Credentials:
    """Return the credentials in `folder`, checked.

    role, camera_id: what the caller needs them to be, None for anything. now: with a time zone, default the clock.
    Raises InvalidCredentials for a missing file, one that others can read, a certificate that another authority made,
    a key of another certificate, one that is expired or not valid yet, another role, or a list of another end.
    """
    folder = folder.absolute()
    _require_private(folder)
    contents = {name: _read(folder / name) for name in (CA_FILE, CERTIFICATE_FILE, KEY_FILE, ACCESS_FILE)}
    ca = _certificate(folder / CA_FILE, contents[CA_FILE])
    certificate = _certificate(folder / CERTIFICATE_FILE, contents[CERTIFICATE_FILE])
    try:
        certificate.verify_directly_issued_by(ca)
    except (ValueError, TypeError, InvalidSignature) as error:
        raise InvalidCredentials(
            f"{folder / CERTIFICATE_FILE}: was not issued by the authority in {CA_FILE}; copy the whole folder again "
            "from the machine where ./privcam keys made it"
        ) from error
    _require_key_of(certificate, folder / KEY_FILE, contents[KEY_FILE])
    identity = _identity(certificate, folder / CERTIFICATE_FILE)
    if role is not None and identity.role is not role:
        raise InvalidCredentials(
            f"{folder}: is for a {identity.role.value} ({identity}), a {role.value} is needed here; "
            f"make one with ./privcam keys add {role.value}"
        )
    if camera_id is not None and (identity.role is not Role.CAMERA or identity.name != camera_id):
        raise InvalidCredentials(f"{folder}: is for {identity}, not for camera {camera_id}; name the right folder")
    now = now or datetime.now(timezone.utc)
    _require_valid(ca, folder / CA_FILE, now, "make a new authority with ./privcam keys init")
    _require_valid(certificate, folder / CERTIFICATE_FILE, now, f"run ./privcam keys renew {identity.name}")
    return Credentials(
        folder,
        identity,
        certificate.not_valid_before_utc,
        # A certificate is not valid after its authority has expired.
        min(certificate.not_valid_after_utc, ca.not_valid_after_utc),
        parse_access(contents[ACCESS_FILE], folder / ACCESS_FILE, identity),
    )


def format_access(identity: CommonName, allowed: tuple[CommonName, ...]) -> bytes:
    """Return the contents of `access.json`: for whom it is, and who may be at the other end of a connection."""
    return (json.dumps({"for": str(identity), "allowed": sorted(map(str, allowed))}, indent=1) + "\n").encode()


def parse_access(data: bytes, path: Path, identity: CommonName) -> tuple[CommonName, ...]:
    """Return who may connect. Raises InvalidCredentials for what `format_access` did not write for `identity`."""
    try:
        access = json.loads(data)
        if access["for"] != str(identity):
            raise ValueError(f"is for {str(access['for'])[:80]!r}, not for {identity}")
        if not isinstance(access["allowed"], list):
            raise ValueError("allowed is not a list")
        return tuple(CommonName.parse(str(name)) for name in access["allowed"])
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidCredentials(f"{path}: {error}; copy the whole folder again from where it was made") from error


def _require_private(path: Path) -> None:
    try:
        mode = path.stat().st_mode & 0o777
    except FileNotFoundError as error:
        raise InvalidCredentials(
            f"{path}: is missing; make it with ./privcam keys, or copy the folder from where it was made"
        ) from error
    except OSError as error:
        raise InvalidCredentials(f"{path}: cannot be inspected: {error.strerror}") from error
    if mode & 0o077:
        fit = "700" if path.is_dir() else "600"
        raise InvalidCredentials(f"{path}: mode {mode:03o} lets other users at it; run chmod {fit} {path}")


def _read(path: Path) -> bytes:
    _require_private(path)
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidCredentials(f"{path}: cannot be read: {error.strerror}") from error


def _certificate(path: Path, data: bytes) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(data)
    except ValueError as error:
        raise InvalidCredentials(f"{path}: holds no certificate in PEM form; copy the folder again") from error


def _require_key_of(certificate: x509.Certificate, path: Path, data: bytes) -> None:
    try:
        public = load_pem_private_key(data, password=None).public_key()
    except (ValueError, TypeError) as error:
        raise InvalidCredentials(f"{path}: holds no private key in PEM form; copy the folder again") from error
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if public.public_bytes(*form) != certificate.public_key().public_bytes(*form):
        raise InvalidCredentials(
            f"{path}: does not fit {CERTIFICATE_FILE}: they are of two issues; copy the whole folder again, or "
            "issue it anew with ./privcam keys renew"
        )


def _identity(certificate: x509.Certificate, path: Path) -> CommonName:
    names = [str(attribute.value) for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    try:
        # Zenoh reads only the first common name, so a second one is not allowed.
        (text,) = names
        return CommonName.parse(text)
    except ValueError as error:
        raise InvalidCredentials(f"{path}: was not made by ./privcam keys: its common names are {names}") from error


def _require_valid(certificate: x509.Certificate, path: Path, now: datetime, remedy: str) -> None:
    if now < certificate.not_valid_before_utc:
        raise InvalidCredentials(
            f"{path}: is valid from {certificate.not_valid_before_utc:%Y-%m-%d %H:%M} UTC on, the clock of this "
            f"machine says {now:%Y-%m-%d %H:%M}; set the clock"
        )
    if now >= certificate.not_valid_after_utc:
        raise InvalidCredentials(
            f"{path}: expired on {certificate.not_valid_after_utc:%Y-%m-%d}; {remedy} and copy the folder again"
        )
