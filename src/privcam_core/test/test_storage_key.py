"""The key of the stored state is private, outside of the folder that it protects, and bound to purpose and camera."""

import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from privcam_core.storage_key import FILE, KEY_BYTES, StorageKey, keys_folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PRIVCAM_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("PRIVCAM_KEYS", str(tmp_path / "keys"))
    return tmp_path / "keys"


def test_key_is_made_once_and_private(folder: Path) -> None:
    first = StorageKey.open()
    assert StorageKey.open() == first
    assert [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / FILE)] == [0o700, 0o600]
    assert [path.name for path in folder.iterdir()] == [FILE]
    (folder / FILE).unlink()
    assert StorageKey.open() != first


def test_processes_that_start_at_the_same_time_have_one_key(folder: Path) -> None:
    with ThreadPoolExecutor(8) as executor:
        keys = list(executor.map(lambda _: StorageKey.open(), range(8)))
    assert len({key.secret for key in keys}) == 1
    assert [path.name for path in folder.iterdir()] == [FILE]


def test_seal_holds_for_its_bytes_its_purpose_and_its_camera_alone() -> None:
    key = StorageKey(bytes(KEY_BYTES))
    seal = key.seal("state", "room1", b"ab", b"c")
    assert key.check(seal, "state", "room1", b"ab", b"c")
    for others in (
        ("state", "room1", b"a", b"bc"),
        ("state", "room1", b"abc"),
        ("state", "room2", b"ab", b"c"),
        ("plate", "room1", b"ab", b"c"),
        ("stateroom1", "", b"ab", b"c"),
        ("state", "room1", b"ab", b"d"),
    ):
        assert not key.check(seal, *others), others
    assert not StorageKey(b"\1" * KEY_BYTES).check(seal, "state", "room1", b"ab", b"c")
    assert not key.check(seal[:-1], "state", "room1", b"ab", b"c")


def test_only_the_newest_number_and_the_one_after_it_pass(folder: Path) -> None:
    key = StorageKey.open()
    assert [key.is_newest("state", "room1", number) for number in (0, 1, 2)] == [False, False, False]
    key.note_newest("state", "room1", 7)
    assert [number for number in range(12) if StorageKey.open().is_newest("state", "room1", number)] == [7, 8]
    assert (key.newest("state", "room2"), key.newest("plate", "room1")) == (0, 0)
    assert stat.S_IMODE((folder / "room1.state.newest").stat().st_mode) == 0o600
    assert StorageKey(bytes(KEY_BYTES)).is_newest("state", "room1", 1)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"-1"),
        lambda path: path.write_bytes(b"9" * 19),
        lambda path: path.write_bytes("٧".encode()),
        lambda path: path.chmod(0o644),
        lambda path: (path.unlink(), os.mkfifo(path, 0o600)),
        lambda path: (path.unlink(), path.symlink_to(path.with_name(FILE))),
    ],
    ids=["empty", "negative", "long", "other digits", "readable", "pipe", "link"],
)
def test_number_that_cannot_be_trusted_is_an_error_and_never_none(
    folder: Path, spoil: Callable[[Path], object]
) -> None:
    key = StorageKey.open()
    key.note_newest("state", "room1", 7)
    spoil(folder / "room1.state.newest")
    with pytest.raises(OSError):
        key.newest("state", "room1")


def test_key_is_in_no_text() -> None:
    assert "secret" not in repr(StorageKey(b"secretsecretsecretsecretsecretse"))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_key_that_others_may_read_is_refused(folder: Path, mode: int) -> None:
    StorageKey.open()
    (folder / FILE).chmod(mode)
    with pytest.raises(ValueError, match="nobody else may read"):
        StorageKey.open()


def test_what_lies_in_the_place_of_the_key_is_not_followed(folder: Path, tmp_path: Path) -> None:
    folder.mkdir()
    (tmp_path / "other").write_bytes(bytes(KEY_BYTES))
    (folder / FILE).symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match=FILE):
        StorageKey.open()
    (folder / FILE).unlink()
    os.mkfifo(folder / FILE, 0o600)
    with pytest.raises(ValueError, match="is not a file of this user"):
        StorageKey.open()


def test_key_of_another_user_is_refused(folder: Path) -> None:
    if os.geteuid():
        pytest.skip("only root can give a file to another user")
    StorageKey.open()
    os.chown(folder / FILE, 65534, 65534)
    with pytest.raises(ValueError, match="owner 65534"):
        StorageKey.open()


@pytest.mark.parametrize("size", [0, KEY_BYTES - 1, KEY_BYTES + 1])
def test_file_of_another_length_is_no_key(folder: Path, size: int) -> None:
    StorageKey.open()
    (folder / FILE).write_bytes(bytes(size))
    with pytest.raises(ValueError, match="is not a key"):
        StorageKey.open()


def test_folder_of_the_key_is_never_the_folder_that_it_protects(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert keys_folder() == folder
    monkeypatch.setenv("PRIVCAM_KEYS", str(folder.parent / "state/keys"))
    with pytest.raises(ValueError, match="is in the state folder"):
        keys_folder()
    monkeypatch.setenv("PRIVCAM_KEYS", "keys")
    with pytest.raises(ValueError, match="not an absolute path"):
        keys_folder()


def test_without_a_setting_the_key_is_of_the_machine_for_root_and_of_the_home_for_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("PRIVCAM_KEYS", raising=False)
    monkeypatch.setenv("HOME", "/home/nurse")
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert keys_folder() == Path("/etc/privcam/keys")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert keys_folder() == Path("/home/nurse/.config/privcam/keys")
    monkeypatch.setenv("XDG_CONFIG_HOME", "/var/xdg")
    assert keys_folder() == Path("/var/xdg/privcam/keys")
