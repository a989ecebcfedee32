"""An end that cannot connect tells why, once; the name in an endpoint is the one in the certificate."""

import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path

import pytest
import zenoh

from privcam_link.access_control import tls_settings
from privcam_link.certificates import keys_command as keys
from privcam_link.credentials import load
from privcam_link.denials.connect_errors import ConnectErrors, ConnectEvent, explain
from privcam_link.endpoints import listen_settings
from privcam_link.session_settings import camera_end

# Against a test that hangs.
HANG_LIMIT_S = 300.0
# An edge that tries to connect: it writes the first event of the endpoint as JSON, and stays until its input ends.
EDGE = """
import json, sys, time
import zenoh
from privcam_link.denials.denial_log import DenialLog
from privcam_link.session_settings import camera_end

log = DenialLog(zenoh.init_log_from_env_or)
config = zenoh.Config()
for name, value in camera_end("room1", sys.argv[1], sys.argv[2])[0].items():
    config.insert_json5(name, value)
with zenoh.open(config):
    while True:
        for event in log.connect_events():
            print(json.dumps([event.to, event.reason]), file=sys.stderr, flush=True)
            sys.stdin.read()
            sys.exit()
        time.sleep(0.02)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder with credentials of a camera and of clouds of several names."""
    root = tmp_path_factory.mktemp("house")
    for line in (
        "init",
        "add camera room1",
        "add cloud named --address localhost",
        "add cloud four --address 127.0.0.1",
    ):
        assert keys.main(["--authority", str(root / "ca"), "--keys", str(root / "keys"), *line.split()]) == keys.DONE
    other = tmp_path_factory.mktemp("other")
    for line in ("init", "add cloud named --address localhost"):
        assert keys.main(["--authority", str(other / "ca"), "--keys", str(other / "keys"), *line.split()]) == keys.DONE
    (other / "keys/named").rename(root / "keys/foreign")
    return root / "keys"


@contextmanager
def cloud(folder: Path, endpoint: str) -> Iterator[None]:
    config = zenoh.Config()
    for name, value in {**listen_settings(endpoint), **tls_settings(load(folder))}.items():
        config.insert_json5(name, value)
    with zenoh.open(config):
        yield


def first_event(folder: Path, endpoint: str) -> ConnectEvent:
    command = [sys.executable, "-c", EDGE, endpoint, str(folder / "room1")]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stderr=pipe, text=True) as edge:
        watchdog = threading.Timer(HANG_LIMIT_S, edge.kill)
        watchdog.start()
        assert edge.stderr is not None
        line = edge.stderr.readline()
        edge.communicate()
        watchdog.cancel()
    return ConnectEvent(*json.loads(line))


def port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(("certificate", "listen", "host", "reason"), [
    ("named", "localhost", "localhost", ""),
    ("named", "127.0.0.1", "LOCALHOST", ""),
    ("four", "127.0.0.1", "127.0.0.1", ""),
    ("four", "127.0.0.1", "localhost", "for another name; use that name"),
    ("named", "127.0.0.1", "127.0.0.1", 'DnsName("localhost")'),
    ("foreign", "127.0.0.1", "localhost", "from another authority"),
    ("", "", "localhost", "nothing listens there; start the cloud"),
    ("", "", "no-such-host.invalid", "the host name is not known"),
])  # fmt: skip
def test_edge_connects_by_the_name_in_the_certificate_or_says_why_not(
    folder: Path, certificate: str, listen: str, host: str, reason: str
) -> None:
    number = port()
    endpoint = f"tls/{host}:{number}"
    with cloud(folder / certificate, f"tls/{listen}:{number}") if certificate else nullcontext():
        event = first_event(folder, endpoint)
    assert event.to == endpoint
    assert reason in event.reason and bool(reason) == bool(event.reason), event.reason


def test_endpoint_with_an_ipv6_address_is_refused_at_once_with_the_way_out(folder: Path) -> None:
    with pytest.raises(ValueError, match=r"TLS to an IPv6 address is not possible.*host name"):
        camera_end("room1", "tls/[::1]:7447", str(folder / "room1"))


def test_certificate_for_an_ipv6_address_is_refused_as_no_camera_could_use_it(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = folder.parent
    line = ["--authority", str(root / "ca"), "--keys", str(root / "keys"), "add", "cloud", "six", "--address", "::1"]
    assert keys.main(line) != keys.DONE
    assert "IPv6" in capsys.readouterr().err


LINE = "2030-01-01T00:00:00.1Z DEBUG net-0 ThreadId(03) zenoh::net::runtime::orchestrator: "
FAILED = f"{LINE}Unable to connect to configured peer "
CONNECTED = FAILED.replace("Unable to connect", "Successfully connected")
REFUSED = (
    "tls/hq:1! Can not create a new TLS link bound to DnsName(\"hq\"): [10.0.0.1:1: Connection refused (os error 111) "
    "at /root/x/tcp.rs:105.]. Retry in 200ms."
)  # fmt: skip
NO_NAME = (
    "tls/hq:1! failed to lookup address information: Name or service not known at /root/x/lib.rs:62.. Retry in 1s."
)


def test_reason_is_told_once_until_there_was_a_connection() -> None:
    errors = ConnectErrors()
    lines = [
        FAILED + REFUSED,
        FAILED + REFUSED.replace("200", "400"),
        FAILED + NO_NAME,
        FAILED + REFUSED,
        FAILED + NO_NAME,
    ]
    found = [errors.read(line) for line in lines]
    assert [event is not None for event in found] == [True, False, True, False, False]
    assert errors.read(f"{CONNECTED}tls/hq:1") == ConnectEvent("tls/hq:1", "")
    assert errors.read(FAILED + REFUSED) == found[0]
    assert errors.read(FAILED.replace("runtime", "other") + "no reason") is None


def test_two_clouds_have_their_reasons_apart() -> None:
    errors = ConnectErrors()
    assert errors.read(FAILED + REFUSED) is not None
    assert errors.read(FAILED + REFUSED.replace("tls/hq", "tls/hq2")) is not None
    errors.read(f"{CONNECTED}tls/hq2:1")
    assert errors.read(FAILED + REFUSED) is None


EXPIRED_AT = 1_700_000_000
TEXTS: Mapping[str, str] = {
    f"invalid peer certificate: certificate expired: verified at time 1795 (UNIX), after {EXPIRED_AT}": "has expired",
    "invalid peer certificate: certificate not valid yet: verified at 1 (UNIX)": "not valid yet; compare the clocks",
    "received fatal alert: CertificateUnknown": "refused the certificate of this end",
    "[10.0.0.1:1: No route to host (os error 113) at /root/x/tcp.rs:1.]": "no way to this address",
    "[10.0.0.1:1: Network is unreachable (os error 101)]": "no way to this address",
    "[10.0.0.1:1: Connection timed out (os error 110)]": "no reply from this address",
    "something new at /root/x/y.rs:12. Retry in 1s.": "something new",
    "with \x1b[2J a terminal": "with ?[2J a terminal",
}


@pytest.mark.parametrize(("text", "meaning"), TEXTS.items())
def test_each_reason_is_explained(text: str, meaning: str) -> None:
    assert meaning in explain(text)
    assert "/root" not in explain(text) and "\x1b" not in explain(text)
