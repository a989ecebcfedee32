"""The two ends of the link with what `./privcam keys` made: what starts, what is refused, and who is warned in time."""

import json
from pathlib import Path

import pytest

from privcam_link.certificates import keys_command as keys
from privcam_link.credentials import load
from privcam_link.session_settings import camera_end, certificate_warning, cloud_end

TLS = "tls/192.0.2.7:7447"


@pytest.fixture
def folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder with credentials of a camera that end soon, and of a cloud."""
    monkeypatch.setenv("PRIVCAM_STATE", str(tmp_path))
    for line in ("init", "add camera room1 --days 12", "add cloud hq --address 192.0.2.7"):
        assert keys.main(line.split()) == keys.DONE, line
    return tmp_path / "keys"


def test_camera_connects_to_every_cloud_that_is_named_and_listens_nowhere(folders: Path) -> None:
    settings, known = camera_end("room1", f"{TLS} tls/hq.example:7448", str(folders / "room1"))
    assert json.loads(settings["connect/endpoints"]) == [TLS, "tls/hq.example:7448"]
    assert json.loads(settings["listen/endpoints"]) == []
    assert json.loads(settings["access_control"])["default_permission"] == "deny"
    assert known is not None
    assert known.name == "camera.room1.1"


def test_cloud_listens_with_its_certificate(folders: Path) -> None:
    settings, known = cloud_end("tls/0.0.0.0:7447", str(folders / "hq"))
    assert json.loads(settings["listen/endpoints"]) == ["tls/0.0.0.0:7447"]
    assert json.loads(settings["transport/link/tls/enable_mtls"]) is True
    assert known is not None


@pytest.mark.parametrize(("end", "endpoint"), [(camera_end, TLS), (cloud_end, "tls/0.0.0.0:7447")])
def test_no_end_leaves_the_host_without_certificates(end: object, endpoint: str) -> None:
    with pytest.raises(ValueError, match="privcam keys"):
        camera_end("room1", endpoint) if end is camera_end else cloud_end(endpoint)


def test_credentials_do_not_go_with_an_endpoint_that_is_not_encrypted(folders: Path) -> None:
    with pytest.raises(ValueError, match="not encrypted"):
        camera_end("room1", "tcp/127.0.0.1:7447", str(folders / "room1"))


def test_credentials_of_somebody_else_are_refused(folders: Path) -> None:
    with pytest.raises(ValueError, match="room2"):
        camera_end("room2", TLS, str(folders / "room1"))
    with pytest.raises(ValueError, match="hq"):
        camera_end("room1", TLS, str(folders / "hq"))
    with pytest.raises(ValueError, match="room1"):
        cloud_end(TLS, str(folders / "room1"))


def test_camera_without_a_cloud_to_go_to_does_not_start() -> None:
    with pytest.raises(ValueError, match="names no cloud"):
        camera_end("room1", " ")


def test_certificate_that_ends_soon_is_warned_of_with_what_to_do(folders: Path) -> None:
    warning = certificate_warning(load(folders / "room1"))
    assert "camera.room1.1" in warning
    assert "12 days" in warning
    assert "privcam keys renew room1" in warning
    assert certificate_warning(load(folders / "hq")) == ""
    assert certificate_warning(None) == ""
