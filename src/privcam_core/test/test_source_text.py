"""A source is shown without its password, and refused with one, however the camera wants it."""

from pathlib import Path

import pytest

from privcam_core.source_text import (
    HIDDEN,
    SecretInSource,
    is_url,
    redact_source,
    redact_text,
    require_no_secret,
    require_no_secret_word,
)

PASSWORD = "Geh31m"
# Each holds Geh31m or a part of it, in a way that a camera or a reader takes.
WITH_PASSWORD = [
    "rtsp://admin:Geh31m@10.0.0.5/s",
    "rtsp://admin:Geh31m@10.0.0.5:554/s?channel=1",
    "rtsp://admin:x@Geh31m@10.0.0.5/s",
    "rtsp://admin:x/Geh31m@10.0.0.5/s",
    "rtsp://admin:Sup/Geh31m/er7@@10.0.0.5/s",
    "rtsp://admin:x?Geh31m@10.0.0.5/s",
    "rtsp://admin:x#Geh31m@10.0.0.5/s",
    "rtsp://admin:x/Geh31m@camera.example/s",
    "rtsp://admin:x@y/Geh31m@camera.example/s",
    "rtsp://admin:x\\Geh31m@10.0.0.5/s",
    "rtsp://admin:Geh31m@10.0.0.5",
    "rtsp:/admin:Geh31m@10.0.0.5/s",
    "rtsp:///admin:Geh31m@10.0.0.5/s",
    "RTSP://ADMIN:Geh31m@10.0.0.5/S",
    "rtsp://:Geh31m@10.0.0.5/s",
    "rtsp://Geh31m@10.0.0.5/s",
    "rtsp://admin%3AGeh31m%4010.0.0.5/s",
    "rtsp://admin:Geh31m%2540@10.0.0.5/s",
    "rtsp://admin:%47eh31m@10.0.0.5/s",
    "rtsp://admin:Geh31m\uff2010.0.0.5/s",
    "rtsp://[fe80::1]/user=admin&password=Geh31m",
    "http://10.0.0.5/video.cgi?user=admin&pwd=Geh31m",
    "http://10.0.0.5/video.cgi?USER=admin&PASSWORD=Geh31m",
    "http://10.0.0.5/video.cgi?pass%77ord=Geh31m",
    "http://10.0.0.5/video.cgi?loginuse=admin&loginpas=x&loginpass=Geh31m",
    "http://10.0.0.5/live;pwd=Geh31m",
    "rtsp://10.0.0.5/user=admin&password=Geh31m&channel=1&stream=0.sdp",
    "rtsp://10.0.0.5/user=admin_password=Geh31m_channel=1",
    "https://10.0.0.5/stream?token=Geh31m",
    "https://10.0.0.5/stream?access_key=Geh31m",
    "http://10.0.0.5?p=1&psw=Geh31m",
    "http://user@10.0.0.5/s?pw=Geh31m@x",
    "srt://10.0.0.5:9000?passphrase=Geh31m",
    *(
        f"http://10.0.0.5/v.cgi?id=1&{name}=Geh31m"
        for name in (
            *(
                "psswrd",
                "passwd",
                "pswd",
                "psw",
                "pword",
                "passwort",
                "p4ssw0rd",
                "Pass_Word",
                "motdepasse",
                "kennwort",
            ),
            *("psk", "pin", "api-key", "jwt", "sig", "cam.pass", "pas%73code", "contrasena", "admin_pas"),
        )
    ),
    "rtsp://10.0.0.5/channel=1_psswrd=Geh31m_stream=0",
    "rtsp://10.0.0.5/password:Geh31m/live",
    "rtsp://10.0.0.5/live#psswd=Geh31m",
    "rtsp://10.0.0.5/live?a=b=c|passwd=Geh31m",
    "udp://@x:Geh31m@10.0.0.5",
    "rtmp://10.0.0.5/live?auth=Geh31m",
    " rtsp://admin:Geh31m@10.0.0.5/s",
    "admin:Geh31m@10.0.0.5/s",
    "10.0.0.5/s?user=admin&password=Geh31m",
    "rtsp:admin:Geh31m@10.0.0.5",
    "/dev/video0?password=Geh31m",
    "/dev/video0;user=admin;pwd=Geh31m",
    "cam.local/user=admin&password=Geh31m",
    "cam.local/live?token=Geh31m",
    "http://10.0.0.5/v?credential=Geh31m",
    "http://10.0.0.5/v?mdp=Geh31m",
    "http://10.0.0.5/v?a=Basic%20YWRtaW46R2VoMzFt",
]


@pytest.mark.parametrize("source", WITH_PASSWORD)
def test_password_is_neither_shown_nor_accepted(source: str) -> None:
    shown = redact_source(source)
    assert PASSWORD.casefold() not in shown.casefold()
    assert "admin" not in shown
    with pytest.raises(SecretInSource, match="source_credentials") as raised:
        require_no_secret(source)
    assert PASSWORD.casefold() not in str(raised.value).casefold()


@pytest.mark.parametrize("source", WITH_PASSWORD)
def test_command_refuses_a_word_with_a_password(source: str) -> None:
    with pytest.raises(SecretInSource):
        require_no_secret_word(source)


@pytest.mark.parametrize(
    "word",
    [
        "anna@ward.example",
        "0",
        "--out",
        "clips/a=b.mp4",
        "a:b.mp4",
        "night",
        "topic:=/a",
        "source_credentials:=cam.txt",
    ],
)
def test_other_words_of_a_command_are_no_secrets(word: str) -> None:
    require_no_secret_word(word)


@pytest.mark.parametrize("part", ["Geh31m", "%47eh31m", "admin"])
@pytest.mark.parametrize("source", [source for source in WITH_PASSWORD if is_url(source)])
def test_message_of_a_library_is_shown_without_the_password(source: str, part: str) -> None:
    shown = redact_text(f"Error when loading first segment '{source.strip()}' (error 401)")
    assert part not in shown
    assert shown.startswith("Error when loading first segment '")


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("rtsp://admin:secret@10.0.0.5:554/s", "rtsp://10.0.0.5:554"),
        ("rtsp://admin:se@cret@cam.example/s", "rtsp://cam.example"),
        ("rtsp://admin:Sup/er7@10.0.0.5/s", "rtsp://10.0.0.5"),
        ("rtsp://admin:Sup/er7@[fe80::1]:554/s", "rtsp://[fe80::1]:554"),
        ("rtsp://admin:Sup/er7@cam.example/s", "rtsp://…"),
        ("rtsp://10.0.0.5/user=admin&password=secret&channel=1", "rtsp://10.0.0.5"),
        ("http://10.0.0.5/video.cgi?user=admin&pwd=secret", "http://10.0.0.5"),
        ("https://bücher.example/x", "https://bücher.example"),
        ("0", "0"),
        ("topic", "topic"),
        ("/dev/video0", "/dev/video0"),
        ("/dev/v4l/by-path/pci-0000:00:14.0-usb-0:3:1.0", "/dev/v4l/by-path/pci-0000:00:14.0-usb-0:3:1.0"),
        ("clips/a room.mp4", "clips/a room.mp4"),
        ("admin:secret@10.0.0.5", HIDDEN),
        ("a" * 5000 + "=", HIDDEN),
        ("\0@", HIDDEN),
    ],
)
def test_scheme_and_host_are_shown_and_names_of_cameras_and_files(source: str, shown: str) -> None:
    assert redact_source(source) == shown


@pytest.mark.parametrize(
    "source",
    [
        "0", "topic", "/dev/video0", "clips/room.mp4", "rtsp://10.0.0.5:554/stream?channel=1&subtype=0",
        "rtsp://[fe80::1]:554/Streaming/Channels/101", "http://cam.example/mjpg/video.mjpg?resolution=640x480",
        "rtsp://10.0.0.5/user={user}&password={password}&channel=1", "http://cam.example/v.cgi?user=&pwd={password}",
        "rtsp://pass.example:554/live?compression=30&power=1&bps=9&passive", "clips/pass.mp4",
        "rtsp://password:554/live",
    ],
)  # fmt: skip
def test_source_without_a_password_is_accepted(source: str) -> None:
    require_no_secret(source)


@pytest.mark.parametrize(
    "secret",
    [
        "admin:Geh31m@10.0.0.5", "admin:Geh31m@cam.example:554/s", "//admin:Geh31m@h", "admin:x/Geh31m@h",
        "admin%3AGeh31m%40h", "admin%3AGeh31m%2540h", "admin:Geh31m＠h", "Geh31m@h", "psswrd=Geh31m",
        "passwd = Geh31m", "pwd='x Geh31m'", 'PASS="x Geh31m"', "password: Geh31m", '"password": "Geh31m"',
        "token=Geh31m", "api_key=Geh31m", "?user=x&psw=Geh31m", "pass%77ord=Geh31m",
        "rtsp://x:a Geh31m b@10.0.0.5/s", "rtsp://x:a'Geh31m@10.0.0.5/s", "rtsp://x:a<Geh31m>@10.0.0.5/s",
        "rtsp://h/a,rtsp://x:Geh31m@10.0.0.5/s", "rtsp://h/a admin:Geh31m@10.0.0.5",
    ],
)  # fmt: skip
@pytest.mark.parametrize("sentence", ["cannot open {}", "{} failed", "tried '{}' twice (401).", "({})", "a,{};b"])
def test_sentence_is_shown_without_the_secret_in_it(secret: str, sentence: str) -> None:
    shown = redact_text(sentence.format(secret))
    assert PASSWORD not in shown


@pytest.mark.parametrize("header", ["Authorization: Basic {}", "authorization: basic {}", "-headers 'X: Bearer {}'"])
def test_coded_user_and_password_of_a_header_are_not_shown(header: str) -> None:
    coded = "YWRtaW46R2VoMzFt"
    assert coded not in redact_text(f"cannot open {header.format(coded)}, error 401")


@pytest.mark.parametrize(
    "sentence",
    [
        "Invalid data found when processing input: clips/room.mp4", "exit code 1, errno=5, size: 640x480",
        "Error: token expected at line 3", "rate=1.0 & channel=2", "Server returned 401 Unauthorized (rtsp://10.0.0.5)",
        "", "@", "frame 5 @ 30 Hz", "a basic profile of H.264 in basic form",
    ],
)  # fmt: skip
def test_sentence_without_a_secret_stays_as_it_is(sentence: str) -> None:
    assert redact_text(sentence) == sentence


def test_file_that_exists_is_named_whatever_its_name(tmp_path: Path) -> None:
    clip = tmp_path / "a@b=c?password=x%20.mp4"
    clip.touch()
    require_no_secret(str(clip))
    assert redact_source(str(clip)) == str(clip)
