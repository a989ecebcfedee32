"""Who may import whom. Read from the source, so that a forbidden import is found also where no test comes by."""

import ast
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"
PACKAGES = (
    "privcam_core",
    "privcam_sources",
    "privcam_perception",
    "privcam_recognition",
    "privcam_link",
    "privcam_ros",
    "privcam_anonymization",
    "privcam_privacy",
    "privcam_edge",
    "privcam_vlm",
    "privcam_cloud",
    "privcam_console",
    "privcam_bringup",
    "privcam_evaluation",
    "privcam_audit",
    "privcam_cli",
)
# What reaches beyond the process.
OUTWARD = {"socket", "socketserver", "ssl", "http", "urllib", "subprocess", "multiprocessing", "asyncio", "zenoh"}
MIDDLEWARE = {"rclpy", "zenoh", "cv_bridge", "rosbags", "ament_index_python"}
MESSAGES = {"privcam_msgs", "sensor_msgs", "std_msgs", "diagnostic_msgs", "visualization_msgs", "builtin_interfaces"}

# Package -> the packages of ours that it may import.
BELOW = {
    "privcam_core": set(),
    "privcam_sources": {"privcam_core"},
    "privcam_perception": {"privcam_core"},
    "privcam_recognition": {"privcam_core"},
    "privcam_link": {"privcam_core"},
    "privcam_ros": {"privcam_core", "privcam_msgs"},
    "privcam_anonymization": {"privcam_core"},
    "privcam_privacy": {"privcam_core", "privcam_anonymization"},
    "privcam_edge": {
        *("privcam_core", "privcam_sources", "privcam_perception", "privcam_link", "privcam_ros", "privcam_privacy"),
        *("privcam_anonymization", "privcam_msgs"),
    },
    "privcam_vlm": {"privcam_core"},
    "privcam_cloud": {
        "privcam_core",
        "privcam_recognition",
        "privcam_link",
        "privcam_ros",
        "privcam_vlm",
        "privcam_msgs",
    },
    "privcam_console": {"privcam_core", "privcam_link", "privcam_ros", "privcam_msgs"},
    "privcam_bringup": {"privcam_core", "privcam_sources", "privcam_ros", "privcam_msgs"},
    "privcam_evaluation": {*PACKAGES, "privcam_msgs"} - {"privcam_evaluation", "privcam_audit", "privcam_cli"},
    "privcam_audit": {*PACKAGES, "privcam_msgs"} - {"privcam_audit", "privcam_cli"},
    "privcam_cli": {*PACKAGES, "privcam_msgs"} - {"privcam_cli"},
}
# What runs after the privacy engine, and what it must have no path to.
AFTER_PRIVACY = (
    "privcam_edge.composition",
    "privcam_edge.embedding",
    "privcam_edge.link",
    "privcam_edge.nodes.composer",
    "privcam_edge.nodes.embedder",
    "privcam_edge.nodes.markers",
    "privcam_edge.nodes.omega",
    "privcam_edge.nodes.bridge",
)
RAW = ("privcam_sources", "privcam_edge.frames", "privcam_perception", "privcam_privacy", "privcam_anonymization")
EQUATIONS = range(1, 11)


def module_name(file: Path) -> str:
    """Return the dotted name of a source file."""
    parts = file.relative_to(SOURCE).with_suffix("").parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(source: str) -> set[str]:
    """Return the dotted names of everything that a module imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "a relative import hides what is imported"
            found.add(str(node.module))
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
    return found


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


MODULES = {
    module_name(file): imports_of(file.read_text(encoding="utf-8"))
    for package in PACKAGES
    for file in sorted((SOURCE / package / package).rglob("*.py"))
}


def reached(module: str) -> set[str]:
    """Return every module of ours that gets loaded with `module`."""
    found: set[str] = set()
    todo = [module]
    while todo:
        parts = todo.pop().split(".")
        # Importing a.b.c also runs a and a.b.
        for name in (".".join(parts[:n]) for n in range(1, len(parts) + 1)):
            if name in MODULES and name not in found:
                found.add(name)
                todo += MODULES[name]
    return found


def test_modules_were_found() -> None:
    assert {name.split(".")[0] for name in MODULES} == set(PACKAGES)
    assert "privcam_edge.frames.ring" in reached("privcam_edge.nodes.eraser")  # the reader of imports does read them


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_between_packages_go_downwards(package: str) -> None:
    ours = {*PACKAGES, "privcam_msgs"}
    for module, imported in MODULES.items():
        if within(module, package):
            other = {name.split(".")[0] for name in imported} & ours - {package}
            assert other <= BELOW[package], f"{module} imports {other - BELOW[package]}"


@pytest.mark.parametrize(
    "package",
    [
        *("privcam_core", "privcam_sources", "privcam_perception", "privcam_privacy", "privcam_link", "privcam_vlm"),
        *("privcam_recognition", "privcam_anonymization"),
    ],
)
def test_pure_packages_do_not_know_ros(package: str) -> None:
    for module, imported in MODULES.items():
        if within(module, package):
            assert not {name.split(".")[0] for name in imported} & (MIDDLEWARE | MESSAGES), module


@pytest.mark.parametrize("package", ["privcam_core", "privcam_anonymization", "privcam_privacy"])
def test_core_and_the_privacy_engine_have_no_sockets_and_start_no_process(package: str) -> None:
    for module, imported in MODULES.items():
        if within(module, package):
            assert not {name.split(".")[0] for name in imported} & OUTWARD, module


def test_no_program_that_runs_a_camera_can_give_noise_a_seed() -> None:
    seeded = {name for name, imported in MODULES.items() if "privcam_anonymization.random_source.seeded" in imported}
    # The rule can see such an import, and evaluation has it.
    assert seeded
    assert {name.split(".")[0] for name in seeded} <= {"privcam_audit", "privcam_evaluation"}


def test_nothing_imports_the_cli() -> None:
    files = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for file in map(Path, files.split()):
        # The commands themselves, and what ./privcam loads before anything is installed.
        if file.parts[:2] == ("src", "privcam_cli") or not (ROOT / file).exists():
            continue
        imported = imports_of((ROOT / file).read_text(encoding="utf-8"))
        assert not [name for name in imported if within(name, "privcam_cli")], file


def test_tests_of_core_import_nothing_above_core() -> None:
    for file in (SOURCE / "privcam_core" / "test").rglob("*.py"):
        imported = {name.split(".")[0] for name in imports_of(file.read_text(encoding="utf-8"))}
        assert not imported & ({*PACKAGES} - {"privcam_core"}), file


def test_only_nodes_and_the_link_of_each_side_know_a_middleware() -> None:
    # The recorder writes bags without ROS, which needs their library and the folders of the message packages.
    exceptions = {"rosbags", "ament_index_python"}
    for module, imported in MODULES.items():
        side = module.split(".")[0]
        if side not in ("privcam_edge", "privcam_cloud", "privcam_console") or within(module, f"{side}.nodes"):
            continue
        known = {name.split(".")[0] for name in imported} & (MIDDLEWARE | MESSAGES)
        if within(module, f"{side}.link"):
            known -= {"zenoh"}
        if within(module, "privcam_cloud.recording"):
            known -= exceptions
        assert not known, f"{module} imports {known}"


@pytest.mark.parametrize("side", ["privcam_edge", "privcam_cloud", "privcam_console"])
def test_parts_do_not_import_nodes(side: str) -> None:
    for module, imported in MODULES.items():
        if within(module, side) and not within(module, f"{side}.nodes"):
            assert not [name for name in imported if within(name, f"{side}.nodes")], module


def test_nothing_behind_the_privacy_engine_can_reach_a_frame() -> None:
    behind = [module for module in MODULES if any(within(module, package) for package in AFTER_PRIVACY)]
    assert len(behind) >= len(AFTER_PRIVACY)
    for module in behind:
        raw = [name for name in reached(module) if any(within(name, package) for package in RAW)]
        assert not raw, f"{module} reaches {raw}"


def test_only_one_module_imports_onnxruntime() -> None:
    importing = {m for m, imported in MODULES.items() if any(within(name, "onnxruntime") for name in imported)}
    assert importing == {"privcam_core.models.runtime"}


def docstrings() -> Iterator[tuple[str, str]]:
    for package in PACKAGES:
        for file in (SOURCE / package).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                    name = getattr(node, "name", "module")
                    yield f"{module_name(file)}:{name}", ast.get_docstring(node) or ""


def test_each_equation_of_the_paper_is_named_in_one_docstring() -> None:
    named: dict[int, list[str]] = defaultdict(list)
    for where, text in docstrings():
        for number in map(int, re.findall(r"\bEqs?\. (\d+)", text)):
            named[number].append(where)
    assert set(named) <= set(EQUATIONS)
    assert {number: found for number, found in named.items() if len(found) > 1} == {}
    assert set(range(1, 10)) <= set(named)  # Eq. 10 is the generative model, which is optional
