"""A folder for results is where the user means it, and nothing is made where it cannot be meant."""

import argparse
from pathlib import Path

import pytest

from privcam_core.output_folder import output_folder


def test_tilde_is_the_home_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert output_folder("~/results") == tmp_path / "results"


def test_parents_are_ours_to_make_only_below_the_working_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    assert output_folder("out/demo") == here / "out/demo"
    assert output_folder(str(tmp_path / "beside")) == tmp_path / "beside"
    assert output_folder("Küche #1 100%") == here / "Küche #1 100%"
    with pytest.raises(argparse.ArgumentTypeError, match="stick does not exist; make it, or mount its disk"):
        output_folder(str(tmp_path / "stick/results"))


def test_file_and_unknown_user_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").touch()
    with pytest.raises(argparse.ArgumentTypeError, match="is not a folder"):
        output_folder(str(tmp_path / "a"))
    with pytest.raises(argparse.ArgumentTypeError, match="home directory"):
        output_folder("~nobody-of-this-name/x")
