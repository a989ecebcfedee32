"""The certificate authority of one installation: it issues certificates and writes the folder of every end.

Its own key stays in the folder `authority`, which is not copied to other machines. All permissions follow from the
record alone, so `distribute` can be repeated at any time, also after a crash.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from privcam_core.storage import private_folder, write_private
from privcam_link.certificates.issue_log import Entry, Event, Record
from privcam_link.credentials import ACCESS_FILE, CA_FILE, CERTIFICATE_FILE, KEY_FILE, CommonName, Role, format_access

# Roles of the peers of each role. Cameras and viewers connect to clouds only.
KNOWS = {
    Role.CAMERA: (Role.CLOUD,),
    Role.CLOUD: (Role.CAMERA, Role.VIEWER),
    Role.VIEWER: (Role.CLOUD,),
}

# Clocks of small gateways are late; a certificate that begins a little earlier works there at once.
_CLOCK_SLACK = timedelta(hours=1)
_CA_KEY_FILE, _RECORD_FILE, _LOCK_FILE = "ca-key.pem", "record.jsonl", "lock"


class KeysError(Exception):
    """A certificate cannot be made, changed or revoked as asked. The text says why and what to do."""


class Authority:
    """The authority in `folder`, whose ends have their folders in `keys`. Raises KeysError where there is none."""

    def __init__(self, folder: Path, keys: Path) -> None:
        self._folder, self._keys = folder, keys
        try:
            self._ca_pem = (folder / CA_FILE).read_bytes()
            key = load_pem_private_key((folder / _CA_KEY_FILE).read_bytes(), password=None)
        except FileNotFoundError as error:
            raise KeysError(f"{error.filename}: is missing; make an authority with ./privcam keys init") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise KeysError(f"{folder / _CA_KEY_FILE}: is no ECDSA key")
        self._key = key
        self._ca = x509.load_pem_x509_certificate(self._ca_pem)
        self.record = Record(folder / _RECORD_FILE)

    def folder_of(self, name: str) -> Path:
        """Return the folder that holds what `name` needs."""
        return self._keys / name

    def issue(self, identity: CommonName, addresses: Sequence[str], days: float) -> Path:
        """Write a new certificate and a new key for `identity`, and return their folder. days: how long it is valid.

        Raises KeysError if the authority itself ends before.
        """
        now = datetime.now(timezone.utc)
        expires = now + timedelta(days=days)
        if expires > self._ca.not_valid_after_utc:
            raise KeysError(
                f"the authority ends on {self._ca.not_valid_after_utc:%Y-%m-%d}, before {days:g} days are over; "
                "give fewer --days, or move this folder away and begin anew with ./privcam keys init"
            )
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = _sign_end(identity, addresses, key, self._ca, self._key, now, expires)
        known = any(entry.common_name == str(identity) for entry in self.record.entries)
        # The record first: if the machine stops here, `renew` repeats the issue, and no certificate is ever at large
        # that the record does not know.
        self.record.append(
            Entry(
                now.isoformat(timespec="seconds"),
                Event.RENEWED if known else Event.ISSUED,
                str(identity),
                f"{certificate.serial_number:x}",
                certificate.not_valid_after_utc.isoformat(),
                tuple(addresses),
            )
        )
        folder = private_folder(self.folder_of(identity.name))
        write_private(folder / CA_FILE, self._ca_pem)
        write_private(folder / KEY_FILE, _pem(key))
        write_private(folder / CERTIFICATE_FILE, certificate.public_bytes(Encoding.PEM))
        return folder

    def revoke(self, entry: Entry) -> None:
        """Note that the name of `entry` is refused from now on. `distribute` tells everybody."""
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        self.record.append(Entry(now, Event.REVOKED, entry.common_name, entry.serial, entry.expires, entry.addresses))

    def distribute(self) -> tuple[list[CommonName], list[CommonName]]:
        """Write who may talk to whom into every folder; return (those that changed, those whose folder is not here)."""
        current = [entry.identity for entry in self.record.current()]
        changed, missing = [], []
        for identity in current:
            allowed = tuple(other for other in current if other.role in KNOWS[identity.role])
            path = self.folder_of(identity.name) / ACCESS_FILE
            if not (path.parent / CERTIFICATE_FILE).exists():
                missing.append(identity)
                continue
            access = format_access(identity, allowed)
            if not path.exists() or path.read_bytes() != access:
                write_private(path, access)
                changed.append(identity)
        return changed, missing


def create(folder: Path, days: float) -> None:
    """Make an authority in `folder` that is valid for so many days. Raises KeysError where there is one already."""
    for path in (folder / CA_FILE, folder / _CA_KEY_FILE, folder / _RECORD_FILE):
        if path.exists():
            raise KeysError(f"{path}: exists already and is not overwritten; everything it issued would be worthless")
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.now(timezone.utc)
    certificate = _sign_authority(key, now, now + timedelta(days=days))
    private_folder(folder)
    write_private(folder / _CA_KEY_FILE, _pem(key))
    write_private(folder / CA_FILE, certificate.public_bytes(Encoding.PEM))


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep other `./privcam keys` out of `folder` meanwhile. Raises KeysError if one is at work."""
    descriptor = os.open(private_folder(folder) / _LOCK_FILE, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError as error:
        raise KeysError(f"{folder}: another ./privcam keys is at work; try again when it is done") from error
    finally:
        os.close(descriptor)


def general_name(address: str) -> x509.GeneralName:
    """Return a host name or IP address as a name of a certificate. Raises ValueError for an invalid one."""
    try:
        number = ip_address(address.strip("[]"))
    except ValueError:
        labels = address.rstrip(".").split(".")
        if not all(0 < len(part) < 64 and part.replace("-", "a").isalnum() and part.isascii() for part in labels):
            raise ValueError(f"address: {address[:80]!r} is neither a host name nor an IP address") from None
        if labels[-1].isdigit():
            raise ValueError(f"address: {address[:80]!r} is not an IP address, and no host name ends so") from None
        return x509.DNSName(address.rstrip(".").lower())
    if number.is_unspecified or number.is_multicast:
        raise ValueError(f"address: cameras cannot connect to {address}; name an address or host name of the cloud")
    if number.version == 6:
        raise ValueError(
            f"address: Zenoh cannot use TLS with the IPv6 address {address}; name a host name of the cloud"
        )
    return x509.IPAddress(number)


def _sign_authority(key: ec.EllipticCurvePrivateKey, now: datetime, expires: datetime) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "privcam authority")])
    identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
    return (
        x509.CertificateBuilder(issuer_name=name, subject_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SLACK)
        .not_valid_after(expires)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
        .add_extension(identifier, critical=False)
        .sign(key, SHA256())
    )


def _sign_end(
    identity: CommonName,
    addresses: Sequence[str],
    key: ec.EllipticCurvePrivateKey,
    ca: x509.Certificate,
    ca_key: ec.EllipticCurvePrivateKey,
    now: datetime,
    expires: datetime,
) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, str(identity))])
    # Only a cloud may be the listening side, and only the others the connecting one: the key of a stolen camera does
    # not make a false cloud.
    listens = identity.role is Role.CLOUD
    purpose = ExtendedKeyUsageOID.SERVER_AUTH if listens else ExtendedKeyUsageOID.CLIENT_AUTH
    builder = (
        x509.CertificateBuilder(issuer_name=ca.subject, subject_name=name, public_key=key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(max(now - _CLOCK_SLACK, ca.not_valid_before_utc))
        .not_valid_after(expires)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([purpose]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(ca_key.public_key()), critical=False)
    )
    if addresses:
        names = x509.SubjectAlternativeName([general_name(address) for address in addresses])
        builder = builder.add_extension(names, critical=False)
    return builder.sign(ca_key, SHA256())


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
