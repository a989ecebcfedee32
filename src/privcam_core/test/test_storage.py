"""Where state lies, and that it is whole and private."""

import os
from pathlib import Path

import pytest

from privcam_core.storage import plates_folder, private_folder, state_folder, write_private


@pytest.fixture
def clean(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.delenv("PRIVCAM_STATE", raising=False)
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/nurse")
    return monkeypatch


@pytest.mark.usefixtures("clean")
def test_state_lies_in_the_users_home_without_any_setting() -> None:
    assert plates_folder() == Path("/home/nurse/.local/state/privcam/plates")


def test_xdg_state_home_moves_the_state(clean: pytest.MonkeyPatch) -> None:
    clean.setenv("XDG_STATE_HOME", "/var/xdg")
    assert state_folder() == Path("/var/xdg/privcam")


def test_relative_xdg_state_home_is_ignored_as_its_specification_asks(clean: pytest.MonkeyPatch) -> None:
    clean.setenv("XDG_STATE_HOME", "here")
    assert state_folder() == Path("/home/nurse/.local/state/privcam")


def test_own_setting_wins_and_must_be_absolute(clean: pytest.MonkeyPatch) -> None:
    clean.setenv("XDG_STATE_HOME", "/var/xdg")
    clean.setenv("PRIVCAM_STATE", "/srv/privcam")
    assert state_folder() == Path("/srv/privcam")
    clean.setenv("PRIVCAM_STATE", "srv")
    with pytest.raises(ValueError, match="not an absolute path"):
        state_folder()


def test_folders_that_are_made_are_private_and_those_above_keep_their_mode(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    made = private_folder(tmp_path / "plates" / "ward_3")
    assert [folder.stat().st_mode & 0o777 for folder in (made, made.parent, tmp_path)] == [0o700, 0o700, 0o755]


def test_folder_that_somebody_else_put_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir(mode=0o755)
    (tmp_path / "state").symlink_to(tmp_path / "other")
    with pytest.raises(OSError, match="state"):
        private_folder(tmp_path / "state")
    assert (tmp_path / "other").stat().st_mode & 0o777 == 0o755
    if os.geteuid() == 0:
        os.chown(tmp_path / "other", 65534, 65534)
        with pytest.raises(PermissionError, match="belongs to user 65534"):
            private_folder(tmp_path / "other")
        assert (tmp_path / "other").stat().st_mode & 0o777 == 0o755


def test_written_file_is_private_and_replaces_the_old_one_without_leftovers(tmp_path: Path) -> None:
    path = tmp_path / "plate.png"
    path.write_bytes(b"old")
    path.chmod(0o644)
    write_private(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_failed_write_leaves_the_old_file_and_no_leftovers(tmp_path: Path) -> None:
    path = tmp_path / "plate.png"
    path.write_bytes(b"old")
    with pytest.raises(TypeError):
        write_private(path, "not bytes")  # type: ignore[arg-type]
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
