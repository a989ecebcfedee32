"""`./privcam keys` as an operator uses it: who knows whom after each command, and what is never overwritten."""

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from cryptography import x509

from privcam_link.certificates import keys_command as keys
from privcam_link.certificates.authority import alone
from privcam_link.credentials import Role, load


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PRIVCAM_STATE", str(tmp_path))
    return tmp_path


@pytest.fixture
def house(state: Path) -> Path:
    """Two cameras, a cloud and a viewer."""
    for line in (
        "init",
        "add camera room1",
        "add camera room2",
        "add cloud hq --address 127.0.0.1",
        "add viewer nurse",
    ):
        run(line)
    return state


def run(line: str, code: int = keys.DONE) -> None:
    assert keys.main(line.split()) == code, line


def allowed(state: Path, name: str) -> list[str]:
    return list(json.loads((state / "keys" / name / "access.json").read_text())["allowed"])


def certificate(state: Path, name: str) -> x509.Certificate:
    return x509.load_pem_x509_certificate((state / "keys" / name / "certificate.pem").read_bytes())


def contents(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_everybody_gets_a_folder_that_loads_and_knows_who_may_connect(house: Path) -> None:
    for name, role in {"room1": Role.CAMERA, "room2": Role.CAMERA, "hq": Role.CLOUD, "nurse": Role.VIEWER}.items():
        found = load(house / "keys" / name, role=role)
        assert 364 < found.days_left(datetime.now(timezone.utc)) < 366
    assert allowed(house, "room1") == allowed(house, "room2") == ["cloud.hq.1"]
    assert allowed(house, "hq") == ["camera.room1.1", "camera.room2.1", "viewer.nurse.1"]
    assert allowed(house, "nurse") == ["cloud.hq.1"]


def test_key_of_the_authority_is_in_no_folder_and_nothing_is_readable_for_others(house: Path) -> None:
    secret = (house / "authority" / "ca-key.pem").read_bytes()
    assert secret not in contents(house / "keys").values()
    for path in (house / "keys").rglob("*"):
        assert {path.name} <= {"room1", "room2", "hq", "nurse", "ca.pem", "certificate.pem", "key.pem", "access.json"}
    for path in house.rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_only_a_cloud_can_be_connected_to_and_only_at_its_addresses(house: Path) -> None:
    run("add cloud west --address 10.0.0.7 --address cloud.example.org")
    names = certificate(house, "west").extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(n) for n in names.get_values_for_type(x509.IPAddress)] == ["10.0.0.7"]
    assert names.get_values_for_type(x509.DNSName) == ["cloud.example.org"]
    purposes = {
        name: [
            use.dotted_string
            for use in certificate(house, name).extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        ]
        for name in ("hq", "room1", "nurse")
    }
    server, client = ["1.3.6.1.5.5.7.3.1"], ["1.3.6.1.5.5.7.3.2"]
    assert purposes == {"hq": server, "room1": client, "nurse": client}


def test_revoked_name_is_in_no_list_and_the_operator_hears_what_to_copy(
    house: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    run("revoke room1")
    assert allowed(house, "hq") == ["camera.room2.1", "viewer.nurse.1"]
    assert not (house / "keys" / "room1").exists()
    assert (house / "authority/revoked/camera.room1.1/key.pem").exists()
    told = capsys.readouterr().out.splitlines()
    assert told == [f"copy {house / 'keys' / 'hq'} to the machine of cloud hq and restart it there"]
    run("add camera room1")
    assert certificate(house, "room1").subject.rfc4514_string() == "CN=camera.room1.2"
    assert allowed(house, "hq") == ["camera.room1.2", "camera.room2.1", "viewer.nurse.1"]


def test_reissue_is_the_next_generation_at_the_same_addresses(house: Path) -> None:
    before = certificate(house, "hq").extensions.get_extension_for_class(x509.SubjectAlternativeName)
    run("revoke hq --reissue")
    assert load(house / "keys/hq").name == "cloud.hq.2"
    assert certificate(house, "hq").extensions.get_extension_for_class(x509.SubjectAlternativeName) == before
    assert allowed(house, "room1") == ["cloud.hq.2"]


def test_renewed_certificate_has_a_new_key_and_the_old_name(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key, serial = (house / "keys/room1/key.pem").read_bytes(), certificate(house, "room1").serial_number
    capsys.readouterr()
    run("renew room1 --days 90")
    assert load(house / "keys/room1").name == "camera.room1.1"
    assert (house / "keys/room1/key.pem").read_bytes() != key and certificate(house, "room1").serial_number != serial
    assert certificate(house, "room1").not_valid_after_utc < datetime.now(timezone.utc) + timedelta(days=91)
    assert capsys.readouterr().out.count("copy ") == 1  # no other end is affected


def test_renew_all_renews_what_ends_soon_and_nothing_else(house: Path) -> None:
    run("add camera short --days 20")
    before = {name: certificate(house, name).serial_number for name in ("short", "room1")}
    run("renew --all")
    assert certificate(house, "short").serial_number != before["short"]
    assert certificate(house, "room1").serial_number == before["room1"]


def test_record_only_grows(house: Path) -> None:
    path = house / "authority/record.jsonl"
    before = path.read_text()
    for line in ("renew room1", "revoke room2", "add camera room2", "revoke nurse"):
        run(line)
        after = path.read_text()
        assert after.startswith(before) and after != before
        before = after
    events = [(entry["event"], entry["common_name"]) for entry in map(json.loads, before.splitlines())]
    assert events[4:] == [
        ("renewed", "camera.room1.1"),
        ("revoked", "camera.room2.1"),
        ("issued", "camera.room2.2"),
        ("revoked", "viewer.nurse.1"),
    ]


REFUSED = {
    "init": "is not overwritten",
    "add camera room1": "has camera.room1.1 already",
    "add viewer room1": "has camera.room1.1 already",
    "add cloud new": "a cloud needs one or more",
    "add camera new --address 10.0.0.1": "others have none",
    "add cloud new --address 0.0.0.0": "cannot connect to 0.0.0.0",
    "add cloud new --address 10.0.0.999": "is not an IP address",
    "add cloud new --address a/b": "neither a host name nor",
    "add camera Room": "is not 1 to 48",
    "add camera new --days 5000": "the authority ends",
    "add camera left": "exists and is not overwritten",
    "renew nobody": "there are: room1, room2, hq, nurse",
    "revoke nobody": "was never issued",
}


@pytest.mark.parametrize("line", REFUSED)
def test_what_cannot_be_done_changes_nothing_and_says_why(
    house: Path, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (house / "keys/left").mkdir()
    before = contents(house)
    run(line, keys.NOT_DONE)
    assert REFUSED[line] in capsys.readouterr().err
    assert contents(house) == before


def test_stop_in_the_middle_of_a_revocation_is_made_good_by_the_same_command(
    house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*_: object) -> None:
        raise OSError("power failed")

    with monkeypatch.context() as broken:
        broken.setattr(keys, "_put_away", stop)
        run("revoke room1", keys.NOT_DONE)
    assert "camera.room1.1" in allowed(house, "hq")
    run("revoke room1")
    assert "camera.room1.1" not in allowed(house, "hq")
    assert (house / "authority/record.jsonl").read_text().count("revoked") == 1


def test_folder_that_is_not_here_any_more_is_named(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (house / "keys/hq").rename(house / "moved")
    run("revoke room1", keys.NOT_DONE)
    assert "cloud.hq.1: its folder" in capsys.readouterr().err
    run("renew hq")
    assert allowed(house, "hq") == ["camera.room2.1", "viewer.nurse.1"]


def test_list_shows_the_days_and_what_is_wrong(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (house / "keys/room2/key.pem").chmod(0o644)
    run("revoke nurse")
    capsys.readouterr()
    run("list")
    lines = {line.split()[0]: line for line in capsys.readouterr().out.splitlines()}
    assert lines["camera.room1.1"].endswith("valid") and " 365.0 " in lines["camera.room1.1"]
    assert "chmod 600" in lines["camera.room2.1"] and " revoked " in lines["viewer.nurse.1"]


def test_two_commands_at_once_do_not_mix(house: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with alone(house / "authority"):
        run("add camera room3", keys.NOT_DONE)
    assert "another ./privcam keys is at work" in capsys.readouterr().err


def test_nothing_is_made_without_an_authority(state: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run("add camera room1", keys.NOT_DONE)
    assert "make one with ./privcam keys init" in capsys.readouterr().err
    assert list(state.iterdir()) == []
    with pytest.raises(SystemExit) as stopped:
        keys.main(["renew"])
    assert stopped.value.code == 2
