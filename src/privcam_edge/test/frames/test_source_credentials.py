"""The password of a stream comes from a private file, and appears nowhere."""

import os
from pathlib import Path

import pytest
from test_source import write_video

from harness.locked_server import LockedServer
from privcam_edge.frames.source import SourceError, VideoSource, parse
from privcam_edge.frames.source_credentials import Credentials, CredentialsRejected, read_credentials

# Every character that has a meaning in a URL.
USER, PASSWORD = "nurse@ward", "Geh/31m@:?#&%= ü"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "camera.txt"
    path.touch(mode=0o600)
    path.write_text(f"{USER}:{PASSWORD}\n", encoding="utf-8")
    return path


@pytest.fixture
def server(tmp_path: Path) -> LockedServer:
    folder = tmp_path / "www"
    folder.mkdir()
    write_video(folder / "room.avi", [10, 60, 120])
    (folder / "live.m3u8").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nno.ts\n#EXT-X-ENDLIST\n")
    return LockedServer(folder, USER, PASSWORD)


@pytest.mark.parametrize("query", ["", "?user={user}&pwd={password}"])
def test_stream_is_read_with_the_credentials_of_the_file(file: Path, server: LockedServer, query: str) -> None:
    with server:
        source = VideoSource(parse(f"http://{server.host}/room.avi{query}", read_credentials(str(file))))
        assert round(float(source.read().mean()), -1) == 10
        source.close()
    assert server.asked


@pytest.mark.parametrize("page", ["room.avi", "live.m3u8", "nothing.mp4"])
@pytest.mark.parametrize("right", [True, False])
def test_no_output_of_a_failed_attempt_has_the_password(
    server: LockedServer, page: str, right: bool, capfd: pytest.CaptureFixture[str]
) -> None:
    if right and page == "room.avi":
        pytest.skip("that one works")
    said = ""
    with server:
        spec = parse(f"http://{server.host}/{page}", Credentials(USER, PASSWORD if right else PASSWORD + "x"))
        try:
            VideoSource(spec).read()
        except Exception as error:
            said = str(error)
    out, err = capfd.readouterr()
    assert server.host in said
    for text in (said, out, err, repr(spec), str(spec.credentials)):
        assert "Geh" not in text
        assert "nurse" not in text


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


@pytest.mark.parametrize(
    ("text", "credentials", "reason"),
    [
        ("rtsp://admin:secret@10.0.0.5/s", None, r"source rtsp://10\.0\.0\.5: holds a user name or a password"),
        ("http://10.0.0.5/v?user=admin&pwd=secret", Credentials("a", "b"), "holds a user name or a password"),
        ("rtsp://10.0.0.5/user={user}", None, "but no source_credentials"),
        ("0", Credentials("a", "b"), "only a stream takes source_credentials"),
        ("clip.mp4", Credentials("a", "b"), "only a stream takes source_credentials"),
    ],
)
def test_source_and_credentials_that_do_not_go_together_are_refused(
    text: str, credentials: Credentials | None, reason: str
) -> None:
    with pytest.raises(SourceError, match=reason) as raised:
        parse(text, credentials)
    assert "secret" not in str(raised.value)
