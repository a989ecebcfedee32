"""Patterns that bandit does not know: what this project's code must never do. Each pattern finds its example."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from privcam_bringup.launching.resources import resource

ROOT = resource("pyproject.toml").parent
CODE = sorted(
    path for folder in ("src", "tools") for path in (ROOT / folder).rglob("*.py") if "test" not in path.parts
)  # fmt: skip
# Where a reader of broken bags decides by the failure alone: "this is no message any more".
SILENT = {"torn_mcap.py", "mcap_repair.py"}
# The one module that may read the environment variable of the key.
KEY_MODULE = "start_key.py"
SECRET_WORDS = ("code", "seal", "tag", "mac", "secret", "password")


def _is_named(node: ast.AST, *words: str) -> bool:
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return any(word in name.lower().split("_") for word in words)


def silent_failures(tree: ast.AST, path: Path) -> Iterator[int]:
    """Every exception is caught, and nobody is told."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.ExceptHandler) or path.name in SILENT:
            continue
        wide = node.type is None or _is_named(node.type, "exception", "baseexception")
        inside = [inner for statement in node.body for inner in ast.walk(statement)]
        told = any(isinstance(inner, ast.Raise) for inner in inside) or any(
            (isinstance(inner, ast.Name) and inner.id == node.name)
            or (isinstance(inner, ast.Attribute) and inner.attr in ("exception", "error"))
            for inner in inside
        )
        if wide and not told:
            yield node.lineno


def comparisons_of_secrets(tree: ast.AST, _path: Path) -> Iterator[int]:
    """A code is compared with ==, whose time tells how much of it was right."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare) and any(isinstance(op, ast.Eq | ast.NotEq) for op in node.ops):
            sides = [node.left, *node.comparators]
            constant = any(isinstance(side, ast.Constant) for side in sides)
            if not constant and any(_is_named(side, *SECRET_WORDS) for side in sides):
                yield node.lineno


def open_doors(tree: ast.AST, _path: Path) -> Iterator[int]:
    """An address on which every host can connect."""
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
        if "\n" not in text and any(address in text for address in ("0.0.0.0", "//[::]", "/[::]")):
            yield node.lineno


def keys_elsewhere(tree: ast.AST, path: Path) -> Iterator[int]:
    """The descriptor of the key is read by something else than the one module that checks it."""
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if text == "PRIVCAM_START_KEY_FD" and path.name != KEY_MODULE:
            yield node.lineno


def code_from_text(tree: ast.AST, path: Path) -> Iterator[int]:
    """A text is run as code, or by a shell; or an object is made of bytes."""
    del path
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = ast.unparse(node.func)
        shell = any(
            word.arg == "shell" and not (isinstance(word.value, ast.Constant) and not word.value.value)
            for word in node.keywords
        )
        if name in ("eval", "exec", "os.system", "os.popen", "yaml.load", "tempfile.mktemp", "marshal.loads") or shell:
            yield node.lineno


Pattern = Callable[[ast.AST, Path], Iterator[int]]
PATTERNS: dict[Pattern, str] = {
    silent_failures: "try:\n    f()\nexcept Exception:\n    g()",
    comparisons_of_secrets: "if seal.code == expected:\n    pass",
    open_doors: "listen = 'tcp/0.0.0.0:7447'",
    keys_elsewhere: "import os\nos.environ['PRIVCAM_START_KEY_FD']",
    code_from_text: "import subprocess\nsubprocess.run('x', shell=True)",
}


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.__name__)
def test_code_has_no_such_place(pattern: Pattern) -> None:
    assert len(CODE) > 200
    found = []
    for path in CODE:
        found += [f"{path.relative_to(ROOT)}:{line}" for line in pattern(ast.parse(path.read_text("utf-8")), path)]
    assert found == [], pattern.__doc__


@pytest.mark.parametrize(("pattern", "example"), PATTERNS.items(), ids=lambda one: getattr(one, "__name__", ""))
def test_pattern_finds_its_example(pattern: Pattern, example: str) -> None:
    assert list(pattern(ast.parse(example), Path("example.py")))
