"""Checks the commands, options and tests that documents name against those that exist."""

import contextlib
import importlib
import io
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from privcam_cli.__main__ import COMMANDS

ROOT = Path(__file__).resolve().parents[3]
DOCUMENTS = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    *ROOT.glob("docs/**/*.md"),
    *ROOT.glob("src/*/README.md"),
]
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
COMMAND = re.compile(r"\./privcam ([a-z]+)([^`\n#]*)")
each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)


def commands(document: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield every `./privcam` command in a document with its arguments."""
    for name, rest in COMMAND.findall(document.read_text(encoding="utf-8")):
        yield name, shlex.split(rest.split('"')[0].split(";")[0])


@each_document
def test_every_command_in_a_document_exists(document):
    unknown = {name for name, _ in commands(document)} - {*COMMANDS, "setup"}
    assert not unknown


def test_readme_names_every_command():
    assert {name for name, _ in commands(ROOT / "README.md")} >= {*COMMANDS, "setup"}


@each_document
def test_every_option_in_a_document_is_taken_by_its_command(document):
    for name, arguments in commands(document):
        options = [argument for argument in arguments if argument.startswith("--") and argument != "--help"]
        if not options or name == "test":  # what test is given goes to pytest
            continue
        helps = [["--help"], [arguments[0], "--help"]] if name == "keys" else [["--help"]]  # it has commands of its own
        with contextlib.redirect_stdout(io.StringIO()) as text:
            for asked in helps:
                with pytest.raises(SystemExit):
                    importlib.import_module(COMMANDS[name]).main(asked)
        assert set(options) <= set(re.findall(r"--[a-z][a-z-]*", text.getvalue())), f"./privcam {name} {arguments}"


@each_document
def test_every_test_that_a_document_names_as_proof_exists(document):
    for name, arguments in commands(document):
        paths = [ROOT / argument for argument in arguments if name == "test" and argument.startswith(("src/", "test/"))]
        assert [path for path in paths if not path.exists()] == []
        if "-k" in arguments:
            part = arguments[arguments.index("-k") + 1]
            files = [file for path in paths for file in ([path] if path.is_file() else path.rglob("test_*.py"))]
            assert any(re.search(rf"^def test_\w*{part}", file.read_text("utf-8"), re.MULTILINE) for file in files), (
                part
            )
