"""Sizes and names of the tree: packages, folders, modules, and the README."""

import subprocess
from collections import Counter, defaultdict
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MAX_PACKAGE_LINES = 6000
MAX_FOLDER_MODULES = 12
MAX_MODULE_LINES = 320
MAX_SAME_NAME = 3
MAX_README_WORDS = 900
# Names that a tool or Python prescribes.
PRESCRIBED_NAMES = {"__init__.py", "__main__.py", "conftest.py", "setup.py"}
# Test modules that may be longer, each with the reason.
LONG_TEST_MODULES = {
    "src/privcam_bringup/test/test_launch_parser.py": "one table of launch files and the results of the genuine tool",
    "src/privcam_edge/test/link/test_edge_link.py": "one real Zenoh session after another, with shared helpers",
    "src/privcam_edge/test/link/test_gate.py": "one field of Ω after another",
    "src/privcam_edge/test/link/test_omega_queue.py": "one property of the queue after another",
    "src/privcam_link/test/test_access_control.py": "one table of who may do what, from both ends",
    "src/privcam_privacy/test/background/test_privacy_engine.py": "one scene of the privacy engine after another",
    "test/graph/test_bad_input.py": "one bad input of the running graph after another",
    "test/privacy/test_graph_leaks.py": "one running graph, looked at from every side",
}


def modules() -> list[Path]:
    """Return every Python file of the project, also those that are not committed yet, relative to the root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
    return sorted({Path(name) for name in listed if (ROOT / name).exists()})


MODULES = modules()


def lines(module: Path) -> int:
    return len((ROOT / module).read_text(encoding="utf-8").splitlines())


def test_modules_were_found() -> None:
    assert len(MODULES) > 300
    assert Path("src/privcam_core/privcam_core/types/omega.py") in MODULES


def test_no_package_is_longer_than_its_limit_without_its_tests() -> None:
    total: Counter[str] = Counter()
    for module in MODULES:
        if "test" not in module.parts:
            package = module.parts[1] if module.parts[0] == "src" else module.parts[0]
            total[package] += lines(module)
    assert {package: count for package, count in total.items() if count > MAX_PACKAGE_LINES} == {}


def test_no_folder_holds_more_modules_than_its_limit() -> None:
    folders: dict[Path, int] = defaultdict(int)
    for module in MODULES:
        folders[module.parent] += module.name != "__init__.py"
    assert {str(folder): count for folder, count in folders.items() if count > MAX_FOLDER_MODULES} == {}


def test_no_module_is_longer_than_its_limit() -> None:
    long = {str(module): lines(module) for module in MODULES if lines(module) > MAX_MODULE_LINES}
    assert {name: count for name, count in long.items() if name not in LONG_TEST_MODULES} == {}


def test_every_exception_is_a_test_module_that_still_needs_it() -> None:
    for name in LONG_TEST_MODULES:
        assert "test" in Path(name).parts
        assert lines(Path(name)) > MAX_MODULE_LINES, f"{name} is short enough now: remove it from the list"


def test_a_file_name_is_not_used_over_and_over() -> None:
    names = Counter(module.name for module in MODULES if module.name not in PRESCRIBED_NAMES)
    assert {name: count for name, count in names.items() if count > MAX_SAME_NAME} == {}


def test_readme_is_one_page() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= MAX_README_WORDS
