"""User name and password of a stream come from a private file of one line."""

import os
from pathlib import Path

import pytest

from privcam_core.source_credentials import Credentials, CredentialsRejected, read_credentials

# Every character that has a meaning in a URL.
USER, PASSWORD = "nurse@ward", "Geh/31m@:?#&%= ü"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "camera.txt"
    path.touch(mode=0o600)
    path.write_text(f"{USER}:{PASSWORD}\n", encoding="utf-8")
    return path


def test_every_character_survives_the_way_into_the_url() -> None:
    url = Credentials(USER, PASSWORD).put_into("rtsp://10.0.0.5/s")
    assert url == "rtsp://nurse%40ward:Geh%2F31m%40%3A%3F%23%26%25%3D%20%C3%BC@10.0.0.5/s"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o622, 0o666])
def test_file_that_others_may_read_is_refused_with_the_remedy(file: Path, mode: int) -> None:
    file.chmod(mode)
    with pytest.raises(CredentialsRejected, match="chmod 600") as raised:
        read_credentials(str(file))
    assert "Geh" not in str(raised.value)


def test_file_of_another_user_is_refused(file: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give a file to another user")
    os.chown(file, 65534, 65534)
    with pytest.raises(CredentialsRejected, match="owner 65534"):
        read_credentials(str(file))


def test_link_folder_pipe_and_missing_file_are_refused_at_once(file: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(file)
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name, reason in (("link", "cannot be"), ("pipe", "not a file"), (".", "cannot be"), ("no", "cannot be")):
        with pytest.raises(CredentialsRejected, match=reason):
            read_credentials(str(tmp_path / name))


@pytest.mark.parametrize(
    "content", [b"", b"no colon\n", b"user:\n", b"a:b\nc:d\n", b"a:b\0c\n", b"\xff:\xfe\n", b"a:" + b"b" * 5000]
)
def test_file_that_is_not_one_line_of_user_and_password_is_refused(file: Path, content: bytes) -> None:
    file.write_bytes(content)
    with pytest.raises(CredentialsRejected, match=r"one line of the form user:password|not UTF-8"):
        read_credentials(str(file))


def test_relative_name_is_a_credential_of_the_systemd_unit(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    # The access list of the service shows as the rights of the group.
    file.chmod(0o440)
    assert read_credentials("camera.txt") == Credentials(USER, PASSWORD)
    with pytest.raises(CredentialsRejected, match="chmod 600"):
        read_credentials(str(file))
    file.chmod(0o444)
    with pytest.raises(CredentialsRejected, match="mode 444"):
        read_credentials("camera.txt")
