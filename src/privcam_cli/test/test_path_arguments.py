"""`~` means the home folder in every argument, also where a shell leaves it alone."""

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest

from privcam_cli import __main__ as cli


def given_to_command(words: Sequence[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the arguments that a command gets."""
    got: list[str] = []
    command = SimpleNamespace(main=got.extend)
    monkeypatch.setattr(cli.importlib, "import_module", lambda _name: command)
    monkeypatch.setattr(cli.sys, "argv", ["privcam", "launch", *words])
    assert cli.main() == 0
    return got


def test_tilde_is_expanded_in_words_options_and_launch_arguments(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    words = ["edge", "~/a.mp4", "record:=~/bags/1", "--out=~/x", "--seconds", "3", "a~b", "name:=a:=~", "~"]
    assert given_to_command(words, monkeypatch) == [
        *("edge", f"{tmp_path}/a.mp4", f"record:={tmp_path}/bags/1", f"--out={tmp_path}/x", "--seconds", "3"),
        *("a~b", "name:=a:=~", str(tmp_path)),
    ]


def test_user_who_does_not_exist_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli.sys, "argv", ["privcam", "launch", "edge", "source:=~nobody-of-this-name/a.mp4"])
    assert cli.main() == 2
    assert capsys.readouterr().err == "privcam: ~nobody-of-this-name/a.mp4: there is no user with this home folder\n"
