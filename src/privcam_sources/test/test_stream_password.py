"""A stream is opened with the password of a private file, which appears nowhere."""

from pathlib import Path

import pytest
from video_files import flat, write_clip

from harness.locked_server import LockedServer
from privcam_core.source_credentials import Credentials
from privcam_sources.errors import SourceError
from privcam_sources.source_spec import parse
from privcam_sources.video_source import open_source

# Every character that has a meaning in a URL.
USER, PASSWORD = "nurse@ward", "Geh/31m@:?#&%= ü"


@pytest.fixture
def server(tmp_path: Path) -> LockedServer:
    folder = tmp_path / "www"
    folder.mkdir()
    write_clip(folder / "room.avi", [flat(level) for level in (10, 60, 120)], codec="mpeg4")
    (folder / "live.m3u8").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nno.ts\n#EXT-X-ENDLIST\n")
    return LockedServer(folder, USER, PASSWORD)


@pytest.mark.parametrize("query", ["", "?user={user}&pwd={password}"])
def test_stream_is_read_with_the_credentials(server: LockedServer, query: str) -> None:
    with server:
        source = open_source(parse(f"http://{server.host}/room.avi{query}", Credentials(USER, PASSWORD)))
        assert round(float(source.read().image.mean()), -1) == 10
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
            open_source(spec).read()
        except Exception as error:
            said = str(error)
    out, err = capfd.readouterr()
    assert server.host in said
    for text in (said, out, err, repr(spec), str(spec.credentials)):
        assert "Geh" not in text
        assert "nurse" not in text


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
