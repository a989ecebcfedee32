"""The `made` block: what it names, and that nothing of it is needed for a result."""

import json
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from privcam_evaluation.provenance import made, processor_name, revision


def test_block_names_command_date_revision_and_machine_and_is_json() -> None:
    block = made(["privcam", "audit", "my clip.mp4"])
    assert json.loads(json.dumps(block)) == block
    assert block["command"] == "privcam audit 'my clip.mp4'"
    date = datetime.fromisoformat(block["date"])
    assert date.utcoffset() == timedelta(0)
    assert abs(datetime.now(timezone.utc) - date) < timedelta(minutes=1)
    assert block.keys() == {"command", "date", "revision", "machine"}
    assert block["machine"]["cores"] >= 1
    assert block["machine"]["memory_gib"] > 0
    assert block["machine"]["processor"]


def test_block_names_a_stream_without_its_password() -> None:
    assert made(["privcam", "audit", "rtsp://nurse:secret@10.0.0.5/s"])["command"] == "privcam audit rtsp://10.0.0.5"


def test_revision_of_a_checkout_with_changed_files_says_so(tmp_path: Path) -> None:
    def git(*arguments: str) -> None:
        identity = ("-c", "user.name=n", "-c", "user.email=n@example.org")
        subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True)

    git("init")
    (tmp_path / "a").write_text("one")
    git("add", "a")
    git("commit", "-m", "first")
    first = revision(tmp_path)
    assert first is not None and len(first) == 12
    (tmp_path / "a").write_text("two")
    assert revision(tmp_path) == f"{first}+"


def test_no_revision_without_a_checkout_or_without_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert revision(tmp_path) is None
    monkeypatch.setenv("PATH", str(tmp_path))
    assert revision() is None


def test_processor_is_the_first_model_name_of_the_system(tmp_path: Path) -> None:
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text("processor : 0\nmodel name\t: Example CPU @ 2 GHz\nmodel name\t: Other\n")
    assert processor_name(cpuinfo) == "Example CPU @ 2 GHz"
    assert processor_name(tmp_path / "missing")
