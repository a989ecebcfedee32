"""Checks documents against the code: tables, links, launch arguments, topics, and the bytes in wire.md."""

import ast
import contextlib
import importlib.util
import io
import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

import parameter_tables

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("src/*/README.md")]
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
LINK = re.compile(r"\]\(([^)\s]+)\)")
each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)


def anchors(document: Path) -> set[str]:
    """Return what links can point at in a document: its headings as GitHub names them, and ids."""
    text = re.sub(r"```.*?```", "", document.read_text(encoding="utf-8"), flags=re.DOTALL)
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    named = {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
    return named | set(re.findall(r'<a id="([^"]+)">', text))


def test_every_package_has_a_readme():
    packages = {path.parent for path in ROOT.glob("src/*/package.xml")}
    assert packages
    assert packages == {path.parent for path in ROOT.glob("src/*/README.md")}


def test_parameter_tables_are_up_to_date():
    assert [str(path) for path, _ in parameter_tables.outdated()] == [], "run python -m parameter_tables"


def test_table_shows_default_range_and_meaning_of_a_parameter():
    row = "| `camera_node` | `retention_s` | `1.0` | in [0.2, 10] | seconds after capture in which every raw frame is "
    assert row in parameter_tables.table("privcam_edge")


def test_table_is_put_between_its_marks_and_nothing_else_changes():
    text = f"before\n{parameter_tables.BEGIN}\nold\n{parameter_tables.END}\nafter\n"
    changed = parameter_tables.with_table(text, "new")
    assert changed == f"before\n{parameter_tables.BEGIN}\n\nnew\n\n{parameter_tables.END}\nafter\n"
    assert parameter_tables.with_table(changed, "new") == changed


def test_readme_without_a_place_for_the_table_is_refused():
    with pytest.raises(ValueError, match="no place for the table"):
        parameter_tables.with_table(f"{parameter_tables.BEGIN}\n", "new")


def test_check_fails_on_an_old_table_without_writing_and_a_run_mends_it(tmp_path, monkeypatch):
    path = tmp_path / "README.md"
    old = f"{parameter_tables.BEGIN}\nold\n{parameter_tables.END}\n"
    path.write_text(old, encoding="utf-8")
    monkeypatch.setattr(parameter_tables, "readme", lambda _package: path)
    monkeypatch.setattr(parameter_tables, "PACKAGES", ("privcam_cloud",))
    assert parameter_tables.main(["--check"]) == 1
    assert path.read_text(encoding="utf-8") == old
    assert parameter_tables.main([]) == 0
    assert parameter_tables.main(["--check"]) == 0


@each_document
def test_every_launch_argument_in_a_document_is_declared_by_its_file(document):
    text = document.read_text(encoding="utf-8")
    called = r"(?:\./privcam launch|ros2 launch) (?:launch/|privcam_bringup )?"
    calls = re.findall(called + r"([a-z]+)(?:\.launch\.xml)?([^`\n#]*)", text)
    for file, rest in calls:
        declared = {arg.get("name") for arg in ET.parse(ROOT / f"launch/{file}.launch.xml").findall("arg")}
        assert set(re.findall(r"(\w+):=", rest)) <= declared, f"{file}{rest}"


@each_document
def test_every_python_module_that_a_document_runs_exists(document):
    modules = re.findall(r"python3? -m (privcam[\w.]+)", document.read_text(encoding="utf-8"))
    assert [module for module in modules if importlib.util.find_spec(module) is None] == []


@each_document
def test_every_relative_link_leads_somewhere(document):
    broken = []
    for link in LINK.findall(document.read_text(encoding="utf-8")):
        path, _, anchor = link.partition("#")
        if "://" in link:
            continue
        target = (document.parent / path).resolve() if path else document
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert not broken


@pytest.mark.parametrize("package", parameter_tables.PACKAGES)
def test_every_topic_that_a_node_publishes_is_in_the_readme_of_its_package(package):
    topics = set()
    for file in (ROOT / f"src/{package}/{package}/nodes").glob("*.py"):
        for call in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(call, ast.Call) and getattr(call.func, "attr", "") == "create_publisher":
                kind, topic = call.args[:2]
                # With several cameras the name is f"{namespace}name"; a name that is only known later is left out.
                text = topic.values[-1] if isinstance(topic, ast.JoinedStr) else topic
                if isinstance(text, ast.Constant):
                    topics.add((text.value, kind.id.removesuffix("Msg")))
    assert topics or package == "privcam_console"  # it only listens
    text = parameter_tables.readme(package).read_text(encoding="utf-8")
    missing = [(t, k) for t, k in topics if not re.search(rf"`{t}` \(`(?:\w+/)?{k}`", text)]
    assert missing == []


def test_example_in_the_wire_document_gives_the_bytes_that_it_shows():
    text = (ROOT / "docs/wire.md").read_text(encoding="utf-8")
    script, visible = re.search(r"```python\n(.*?)```\s+```text\n(.*?)```", text, flags=re.DOTALL).groups()
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        exec(script, {})
    assert printed.getvalue() == visible


def test_pieces_in_the_wire_document_lie_where_it_says():
    text = (ROOT / "docs/wire.md").read_text(encoding="utf-8")
    dump = re.search(r"```text\n(.*?)```", text, flags=re.DOTALL)[1]
    data = bytes.fromhex("".join(line[5:] for line in dump.splitlines()))
    rows = re.findall(r"^\| ([0-9a-f]{3}) \| (`[^|]*`[ …]*) \|", text, flags=re.MULTILINE)
    assert len(rows) > 15
    for offset, cells in rows:
        piece = bytes.fromhex("".join(re.findall(r"`([0-9a-f ]+)`", cells)))
        start = int(offset, 16)
        assert data[start : start + len(piece)] == piece, offset


# So short that it is read before it is run.
READER_LINES = 40


def reader_of(text: str) -> str:
    return re.search(r"## A reader of its own\n.*?```python\n(.*?)```", text, flags=re.DOTALL)[1]


def test_wire_document_names_the_attachments_the_questions_and_the_endpoint():
    from privcam_link.endpoints import DEFAULT_ENDPOINT
    from privcam_link.wire import TYPE_HASH, BacklogQuery, Header, PictureQuery, header_of

    text = (ROOT / "docs/wire.md").read_text(encoding="utf-8")
    plain, packed = Header(7, 0, "0123456789abcdef", 9, 0), Header(7, 6)
    assert header_of(plain.encode()) == plain
    written = (
        plain.encode().decode().replace(TYPE_HASH[-64:], "<64 hex digits>").replace(plain.queue, "<16 hex digits>")
    )
    assert re.sub(r"(n|newest)=\d", r"\1=<n>", written.replace("lost=0", "lost=<count>")) + " " in text
    assert re.sub(r"=\d", "=<n>", packed.encode().decode()) + " " in text
    picture = PictureQuery(bytes(32), (bytes(32),)).encode().replace("0" * 64, "<64 hex digits>")
    assert picture.replace(";have=", "[;have=") + ",...]" in text
    backlog = re.sub(r"=\d", "=<ns>", BacklogQuery("<name>", 1, 2).encode())
    assert backlog.replace(";after=<ns>", "[;after=<ns>[;max_bytes=<bytes>]]") in text
    piece = PictureQuery(bytes(32), offset=1, max_bytes=1).encode().split(";", maxsplit=1)[1]
    assert f"[;{piece.replace('=1', '=<bytes>')}]" in text
    assert len([line for line in reader_of(text).splitlines() if line.strip()]) <= READER_LINES
    assert DEFAULT_ENDPOINT in text


def test_numbers_in_the_wire_document_are_those_of_the_code():
    from privcam_cloud.link import flow_control
    from privcam_core.types import omega
    from privcam_edge.link import omega_queue, packetizer, picture_schedule, session
    from privcam_link import cdr, delta_compression, patches, wire

    text = (ROOT / "docs/wire.md").read_text(encoding="utf-8")
    for sentence in (
        f"every {packetizer.PLAIN_EVERY}th, is plain",
        f"as many as `max_bytes` (else {session.BACKLOG_BYTES // 1024} KiB) holds as they are sent",
        f"A new one of at most {picture_schedule.PUSH_BYTES // 1024} KiB",
        f"asks for {flow_control.MIN_BYTES // 1024} KiB first",
        f"less than {flow_control.SHORT_S:g} s, for half where it took more than {flow_control.LONG_S:g} s",
        f"up to {wire.MAX_HAVE} pictures that a patch may be made on",
        f"it knows at most {omega_queue.MAX_CONSUMERS}",
        f"payloads of the newest {delta_compression.MAX_REFERENCES} numbers",
        f"A pixel with alpha {patches.KEPT} is black",
        f"at most {omega.MAX_PNG_BYTES >> 20} MiB for a picture and {cdr.MAX_BARE_BYTES >> 10} KiB for the rest",
        f"at most {omega.MAX_SUBJECTS}, different subjects, different layers",
    ):
        assert sentence in text
