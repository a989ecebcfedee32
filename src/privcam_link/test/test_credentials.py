"""What a folder of credentials must be before anybody uses it."""

import shutil
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from privcam_link.credentials import (
    ACCESS_FILE,
    CA_FILE,
    CERTIFICATE_FILE,
    KEY_FILE,
    CommonName,
    InvalidCredentials,
    Role,
    default_folder,
    format_access,
    load,
)

NOW = datetime(2030, 1, 1, tzinfo=timezone.utc)
CAMERA, CLOUD = CommonName(Role.CAMERA, "room1", 2), CommonName(Role.CLOUD, "hq", 1)


class Maker:
    """A certificate authority of a few lines: the tests of the package may not need the command."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.ca = self.sign(["authority"], self.key, days=3650)

    def sign(self, names: list[str], key: ec.EllipticCurvePrivateKey, days: float) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name) for name in names])
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority")])
        return (
            x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
            .not_valid_before(NOW - timedelta(days=1))
            .not_valid_after(NOW + timedelta(days=days))
            .sign(self.key, SHA256())
        )

    def write(self, folder: Path, name: str = str(CAMERA), days: float = 30.0) -> Path:
        folder.mkdir(mode=0o700)
        key = ec.generate_private_key(ec.SECP256R1())
        contents = {
            CA_FILE: self.ca.public_bytes(Encoding.PEM),
            CERTIFICATE_FILE: self.sign([name], key, days).public_bytes(Encoding.PEM),
            KEY_FILE: key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
            ACCESS_FILE: format_access(CAMERA, (CLOUD,)),
        }
        for file, data in contents.items():
            (folder / file).write_bytes(data)
            (folder / file).chmod(0o600)
        return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Maker().write(tmp_path / "room1")


def test_whole_folder_says_who_this_is_and_who_may_connect(folder: Path) -> None:
    found = load(folder, role=Role.CAMERA, camera_id="room1", now=NOW)
    assert (found.name, found.role, found.camera_id) == ("camera.room1.2", Role.CAMERA, "room1")
    assert found.allowed_names(Role.CLOUD) == ("cloud.hq.1",) and found.allowed_names(Role.VIEWER) == ()
    assert found.days_left(NOW) == pytest.approx(30.0)
    assert all(path.is_file() for path in (found.ca, found.certificate, found.key))


def test_folder_lies_in_the_state_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PRIVCAM_STATE", "/srv/privcam")
    assert default_folder("room1") == Path("/srv/privcam/keys/room1")


def other_certificate(folder: Path, file: str) -> None:
    other = Maker().write(folder.parent / "other")
    shutil.copy(other / file, folder / file)


def renamed(folder: Path) -> None:
    (folder / ACCESS_FILE).write_bytes(format_access(CommonName(Role.CAMERA, "room1", 1), (CLOUD,)))


FAULTS: dict[str, tuple[Callable[[Path], object], str]] = {
    "no folder": (shutil.rmtree, "room1: is missing; make it with ./privcam keys"),
    "no key": (lambda folder: (folder / KEY_FILE).unlink(), "key.pem: is missing"),
    "no list": (lambda folder: (folder / ACCESS_FILE).unlink(), "access.json: is missing"),
    "open folder": (lambda folder: folder.chmod(0o755), "mode 755 .* chmod 700"),
    "open key": (lambda folder: (folder / KEY_FILE).chmod(0o640), "key.pem: mode 640 .* chmod 600"),
    "other authority": (lambda folder: other_certificate(folder, CA_FILE), "was not issued by the authority"),
    "other certificate": (lambda folder: other_certificate(folder, CERTIFICATE_FILE), "was not issued by"),
    "other key": (lambda folder: other_certificate(folder, KEY_FILE), "key.pem: does not fit certificate.pem"),
    "no certificate": (lambda folder: (folder / CERTIFICATE_FILE).write_text("x"), "holds no certificate in PEM"),
    "no private key": (lambda folder: (folder / KEY_FILE).write_text("x"), "holds no private key in PEM"),
    "list of another": (renamed, "is for 'camera.room1.1', not for camera.room1.2"),
    "broken list": (lambda folder: (folder / ACCESS_FILE).write_text("[]"), "access.json"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_fault_is_named_with_its_file_and_what_to_do(folder: Path, fault: str) -> None:
    make, expected = FAULTS[fault]
    make(folder)
    with pytest.raises(InvalidCredentials, match=expected) as caught:
        load(folder, now=NOW)
    assert str(folder) in str(caught.value)


def test_certificate_is_used_from_its_first_to_its_last_second(folder: Path) -> None:
    load(folder, now=NOW + timedelta(days=30, seconds=-1))
    with pytest.raises(InvalidCredentials, match=r"expired on 2030-01-31; run ./privcam keys renew room1"):
        load(folder, now=NOW + timedelta(days=30))
    with pytest.raises(InvalidCredentials, match="valid from 2029-12-31 00:00 UTC on, the clock"):
        load(folder, now=NOW - timedelta(days=2))


def test_folder_of_somebody_else_is_refused(folder: Path) -> None:
    with pytest.raises(InvalidCredentials, match=r"is for a camera \(camera.room1.2\), a cloud is needed"):
        load(folder, role=Role.CLOUD, now=NOW)
    with pytest.raises(InvalidCredentials, match="not for camera room2"):
        load(folder, camera_id="room2", now=NOW)


@pytest.mark.parametrize("name", ["room1", "admin.room1.1", "camera.Room.1", "camera.room1.0", "camera.room1.1.1"])
def test_certificate_with_a_name_of_another_form_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidCredentials, match=r"was not made by \./privcam keys"):
        load(Maker().write(tmp_path / "room1", name), now=NOW)
    with pytest.raises(ValueError, match="common name"):
        CommonName.parse(name)


def test_longest_name_fits_into_a_certificate() -> None:
    name = CommonName(Role.CAMERA, "a" * 48, 999999)
    assert len(str(name)) <= 64 and CommonName.parse(str(name)) == name
    with pytest.raises(ValueError, match="is not 1 to 48"):
        CommonName(Role.CAMERA, "a" * 49, 1)
