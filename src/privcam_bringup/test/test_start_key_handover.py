"""How the key of a start gets from the launcher to the nodes of the edge, and to nothing else."""

import io
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from privcam_bringup.launching import Process, Runner, parse
from privcam_ros.start_key import DESCRIPTOR_VARIABLE, StartKey

REPOSITORY = Path(__file__).resolve().parents[3]
# They tell what is live from replays by a key of a start.
CLOUD = {"cloud_bridge", "inference", "reconstruction"}
EDGE = {"camera", "detector", "tracker", "pose", "eraser", "composer", "embedder", "omega", "bridge"}
PRINT_KEY = "from privcam_ros.start_key import StartKey; print('key', StartKey.inherited().derive('test').hex())"
CLOSE_OTHERS = "from privcam_ros.start_key import close_other_start_keys; close_other_start_keys()"
LIST_DESCRIPTORS = f"""
import os
links = [os.readlink(f"/proc/self/fd/{{n}}") for n in range(3, 64) if os.path.islink(f"/proc/self/fd/{{n}}")]
print("named", {DESCRIPTOR_VARIABLE!r} in os.environ, links)"""
SEARCH_KEY = f"""
import os
key = os.pread(int(os.environ[{DESCRIPTOR_VARIABLE!r}]), 64, 0)
told = open("/proc/self/cmdline", "rb").read() + open("/proc/self/environ", "rb").read()
print("found", key in told or key.hex().encode() in told, "of", len(key), "bytes")"""


def run(*processes: Process, package: str = "p") -> tuple[StartKey, list[str]]:
    """Run Python programs to their end; return the key of a package and the lines that they wrote."""
    out = io.StringIO()
    find = lambda process: [sys.executable, "-c", process.executable]  # noqa: E731
    runner = Runner(processes, environment={}, out=out, find=find)
    runner.run()
    return runner.start_key_of(package), out.getvalue().splitlines()


def program(
    code: str,
    *,
    package: str = "p",
    name: str = "n",
    start_key: int | None = 0,
    respawn: bool = False,
    required: bool = False,
) -> Process:
    return Process(package, code, name=name, start_key=start_key, respawn=respawn, required=required)


def test_process_inherits_the_key_of_the_start_and_each_start_has_its_own() -> None:
    keys = []
    for _ in range(2):
        key, lines = run(program(PRINT_KEY, name="a"), program(PRINT_KEY, name="b"))
        keys.append(key.derive("test"))
        assert {f"[{name}] key {keys[-1].hex()}" for name in "ab"} <= set(lines)
    assert keys[0] != keys[1]


def test_process_that_is_started_again_inherits_the_same_key(tmp_path: Path) -> None:
    starts = tmp_path / "starts"
    starts.touch()
    start = f"{PRINT_KEY}; open({str(starts)!r}, 'a').write('x')"
    third = f"while len(open({str(starts)!r}).read()) < 3: pass"
    key, lines = run(program(start, respawn=True), program(third, name="end", required=True))
    assert lines.count(f"[n] key {key.derive('test').hex()}") >= 3


def test_process_that_did_not_ask_for_it_gets_no_descriptor_and_no_word_of_it() -> None:
    _, lines = run(program(LIST_DESCRIPTORS, start_key=None), program(LIST_DESCRIPTORS, name="keyed"))
    with_key, without = (next(line for line in lines if line.startswith(f"[{name}]")) for name in ("keyed", "n"))
    assert "named True" in with_key and "memfd:privcam_start_key" in with_key
    assert "named False" in without and "memfd" not in without


def test_key_is_in_no_argument_and_no_variable() -> None:
    _, lines = run(program(SEARCH_KEY))
    assert lines[0] == "[n] found False of 32 bytes"


def test_files_of_a_process_are_for_its_user_alone(tmp_path: Path) -> None:
    run(program(f"open({str(tmp_path / 'file')!r}, 'w')", start_key=None), program("pass", name="keyed"))
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(("name", "arguments"), [
    ("edge", {}), ("demo", {"source": "clip.avi"}), ("replay", {"bag": "b", "pictures": "true"}),
])  # fmt: skip
def test_only_nodes_that_seal_or_open_get_a_key(name: str, arguments: dict[str, str]) -> None:
    processes = parse(REPOSITORY / f"launch/{name}.launch.xml", arguments)
    keyed_labels = {process.label for process in processes if process.start_key is not None}
    assert keyed_labels >= EDGE
    assert keyed_labels - EDGE <= (CLOUD if name != "edge" else set())
    composed = {**arguments, "composed": "true"} if name != "replay" else arguments
    keyed = [p.executable for p in parse(REPOSITORY / f"launch/{name}.launch.xml", composed) if p.start_key is not None]
    assert name == "replay" or keyed == (["edge_composed"] if name == "edge" else ["cloud_composed", "edge_composed"])


def test_each_element_has_a_key_of_its_own_which_no_other_process_holds() -> None:
    _, lines = run(
        program(PRINT_KEY + LIST_DESCRIPTORS, name="edge", start_key=0),
        program(PRINT_KEY + LIST_DESCRIPTORS, package="q", name="cloud", start_key=1),
    )
    keys = {line.split()[0]: line.split()[2] for line in lines if "] key " in line}
    assert keys.keys() == {"[edge]", "[cloud]"} and keys["[edge]"] != keys["[cloud]"]
    assert [line.count("memfd:privcam_start_key") for line in lines if " named " in line] == [1, 1]


def test_runner_names_the_key_of_each_side() -> None:
    programs = program("pass"), program("pass", package="q", start_key=1), program("pass", package="r", start_key=None)
    runner = Runner(programs, environment={}, out=io.StringIO(), find=lambda _: [sys.executable, "-c", "pass"])
    assert runner.start_key_of("p").derive("x") != runner.start_key_of("q").derive("x")
    with pytest.raises(LookupError, match="no process of r inherits"):
        runner.start_key_of("r")
    assert runner.run() == 0


@pytest.mark.parametrize(("name", "arguments"), [
    ("demo", {"source": "clip.avi"}), ("demo", {"source": "clip.avi", "composed": "true"}),
    ("replay", {"bag": "b", "pictures": "true"}),
])  # fmt: skip
def test_no_process_of_the_cloud_has_the_key_of_the_edge(name: str, arguments: dict[str, str]) -> None:
    keys: dict[str, set[int | None]] = {}
    for process in parse(REPOSITORY / f"launch/{name}.launch.xml", arguments):
        keys.setdefault(process.package, set()).add(process.start_key)
    assert keys["privcam_edge"].isdisjoint(keys["privcam_cloud"])
    assert [len(keys[side]) for side in ("privcam_edge", "privcam_cloud")] == [1, 1]
    assert keys.get("privcam_bringup", {None}) == {None}


@pytest.mark.skipif(find_spec("launch_ros") is None, reason="the stock launch tool is not installed")
def test_stock_tool_hands_the_key_on_within_the_scope_of_the_element(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from launch import LaunchDescription, LaunchService
    from launch.actions import IncludeLaunchDescription
    from launch.launch_description_sources import AnyLaunchDescriptionSource

    monkeypatch.delenv(DESCRIPTOR_VARIABLE, raising=False)
    (tmp_path / "key.py").write_text(f"{CLOSE_OTHERS}; {PRINT_KEY}{LIST_DESCRIPTORS}")
    (tmp_path / "none.py").write_text(f"import os; print('without', {DESCRIPTOR_VARIABLE!r} not in os.environ)")
    keyed, without = (
        f'<executable cmd="{sys.executable} {tmp_path / name}" output="screen"/>' for name in ("key.py", "none.py")
    )
    file = tmp_path / "test.launch.xml"
    file.write_text(
        f"<launch><group><privcam_start_key/>{keyed}{keyed}</group>{without}"
        f"<group><privcam_start_key/>{keyed}</group></launch>"
    )
    service = LaunchService()
    service.include_launch_description(
        LaunchDescription([IncludeLaunchDescription(AnyLaunchDescriptionSource(str(file)))])
    )
    assert service.run() == 0
    lines = [line.partition("] ")[2] for line in capfd.readouterr().out.splitlines()]
    keys = [line for line in lines if line.startswith("key ")]
    assert sorted(keys.count(key) for key in set(keys)) == [1, 2]
    assert [line.count("memfd:privcam_start_key") for line in lines if line.startswith("named ")] == [1, 1, 1]
    assert "without True" in lines
