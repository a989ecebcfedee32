"""Rules of the documents that no other test holds: where numbers come from, and what a decision has to say."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NUMBER = re.compile(r"\d+(?:\.\d+)?(?:e-\d+)?")
STATUS = re.compile(r"^\*(accepted|superseded by \d+|withdrawn), \d{4}-\d\d-\d\d\.\* ")


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def numbers(text: str) -> set[str]:
    without_links = re.sub(r"\]\([^)]*\)", "]", text)
    return set(NUMBER.findall(re.sub(r"^\d+\. ", "", without_links, flags=re.MULTILINE)))


def test_every_measured_number_of_the_readme_is_in_the_results() -> None:
    measured = read("README.md").split("## Honest limits")[1].split("## Comparison")[0]
    assert len(numbers(measured)) > 20
    assert numbers(measured) - numbers(read("docs/results.md")) == set()


def test_every_decision_has_a_status_and_a_date_and_names_its_cost() -> None:
    decisions = re.split(r"^\*\*(?=\d+\. )", read("docs/decisions.md"), flags=re.MULTILINE)[1:]
    assert [int(text.split(".")[0]) for text in decisions] == list(range(1, len(decisions) + 1))
    for text in decisions:
        title, status, *rest = text.strip().splitlines()
        assert STATUS.match(status), title
        assert any(line.startswith("Cost: ") for line in rest), title


def test_a_decision_is_superseded_by_one_that_exists() -> None:
    text = read("docs/decisions.md")
    for number in re.findall(r"superseded by (\d+),", text):
        assert f"\n**{number}. " in text


def definitions(file: Path) -> set[str]:
    """Return `Class.method` of every method of a module."""
    classes = [node for node in ast.parse(file.read_text(encoding="utf-8")).body if isinstance(node, ast.ClassDef)]
    return {f"{kind.name}.{part.name}" for kind in classes for part in kind.body if isinstance(part, ast.FunctionDef)}


def test_every_stop_of_the_walk_through_the_code_is_a_definition() -> None:
    stops = re.findall(r"^\| \d+ \| `(\w+)(/[\w/]+\.py)` \| `([\w.]+)` \|", read("docs/architecture.md"), re.MULTILINE)
    assert len(stops) > 20
    files = {(package, path): ROOT / "src" / package / (package + path) for package, path, _ in stops}
    missing = [(path, name) for package, path, name in stops if name not in definitions(files[package, path])]
    assert missing == []


def test_every_test_that_the_threat_model_names_exists() -> None:
    named = re.findall(r"`((?:src|test)/[\w/.]+)(?:::(test_\w+))?` \|$", read("docs/threat-model.md"), re.MULTILINE)
    assert len(named) > 20
    missing = [
        (path, name)
        for path, name in named
        if not (ROOT / path).exists() or (name and f"def {name}(" not in (ROOT / path).read_text(encoding="utf-8"))
    ]
    assert missing == []
