"""The parameter tables in the READMEs of the packages, made from the parameter dataclasses of the nodes.

python -m parameter_tables            write the tables
python -m parameter_tables --check    write nothing; fail if one is out of date
"""

import argparse
import json
import pkgutil
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from privcam_bringup.launching.resources import resource
from privcam_ros.parameters import Rule, describe

# Packages with nodes, which have a README with a place for the table.
PACKAGES = ("privcam_edge", "privcam_cloud", "privcam_console")
BEGIN = "<!-- parameters: written by `python -m parameter_tables`, do not edit -->"
END = "<!-- end of parameters -->"
_HEAD = ("| executable | parameter | default | allowed | meaning |", "|---|---|---|---|---|")


def readme(package: str) -> Path:
    """Return the README of a package in the source tree. Raises LookupError outside of a source tree."""
    return resource("pyproject.toml").parent / "src" / package / "README.md"


def executables(package: str) -> Iterator[tuple[str, type]]:
    """Yield (name, parameters dataclass) of every executable of a package that has parameters, by name."""
    nodes = import_module(f"{package}.nodes")
    for module in sorted(pkgutil.iter_modules(nodes.__path__), key=lambda module: module.name):
        kind = getattr(import_module(f"{package}.nodes.{module.name}"), "Parameters", None)
        if kind is not None:
            side = package.removeprefix("privcam_")
            yield f"{side}_composed" if module.name == "composed" else f"{module.name}_node", kind


def table(package: str) -> str:
    """Return the Markdown table of all parameters of a package."""
    rows = [
        f"| `{executable}` | {_row(name, default, rule)} |"
        for executable, kind in executables(package)
        for name, default, rule in describe(kind)
    ]
    return "\n".join([*_HEAD, *rows])


def _row(name: str, default: Any, rule: Rule) -> str:
    cells = (f"`{name}`", f"`{json.dumps(default)}`", rule.text(), rule.description)
    return " | ".join(cell.replace("|", "\\|") for cell in cells)


def with_table(text: str, content: str) -> str:
    """Return a README's text with `content` between the two marks. Raises ValueError where a mark is missing."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"has no place for the table: needs the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n\n{content}\n\n{END}{after}"


def outdated() -> list[tuple[Path, str]]:
    """Return (README, its text as it should be) for every package whose table is out of date. Raises ValueError."""
    changes = []
    for package in PACKAGES:
        path = readme(package)
        text = path.read_text(encoding="utf-8")
        try:
            wanted = with_table(text, table(package))
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error
        if wanted != text:
            changes.append((path, wanted))
    return changes


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; return its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m parameter_tables",
        description="Write the parameter tables into the READMEs of the packages.",
    )
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a table is out of date")
    options = parser.parse_args(argv)
    try:
        changes = outdated()
    except (LookupError, OSError, ValueError) as error:
        sys.stderr.write(f"documentation: {error}\n")
        return 1
    for path, text in changes:
        if options.check:
            sys.stderr.write(f"documentation: {path} is out of date; run python -m parameter_tables\n")
        else:
            path.write_text(text, encoding="utf-8")
            sys.stderr.write(f"documentation: wrote {path}\n")
    return 1 if options.check and changes else 0


if __name__ == "__main__":
    sys.exit(main())
