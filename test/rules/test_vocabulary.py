"""Words that were retired: names do not use them again, and our own coinages are nowhere in the tracked text files."""

import ast
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# The changelog names what was renamed; this file holds the words themselves.
EXCEPTIONS = {"CHANGELOG.md", "test/rules/test_vocabulary.py"}

# Part of a name -> the word to use. `left_out` is found in `left_out_clips` and in `LeftOut`, not in `leftover`.
IN_NAMES = {
    "bars": "acceptance_criteria",
    "commissioned": "approved",
    "doubles": "duplicate_tracks",
    "findings": "detections",
    "gains": "ablation",
    "happening": "event",
    "hurry": "poll",
    "journal": "checkpointed_mcap",
    "lane": "picture_resolver",
    "least": "min",
    "left_out": "leave_one_subject_out",
    "looked": "the verb",
    "looks": "tiled_detection, observations",
    "opinion": "smoothed probability",
    "opinions": "smoothed probabilities",
    "pace": "lossless, flow_control",
    "player": "playout_buffer",
    "practice": "baselines",
    "question": "query",
    "recall": "state, restoration",
    "refusals": "access_denials",
    "remember": "persist_state",
    "sending": "packetizer",
    "steady": "tile_reuse",
    "takes": "skeleton_clips",
    "twin": "counterfactual",
    "twins": "counterfactuals",
    "unsafe": "exclusion mask",
    "whoever": "the subject",
    "witness": "probe",
}
# Word anywhere, in code or prose -> the word to use.
ANYWHERE = {
    "PictureLane": "PictureResolver",
    "assault": "fuzzer",
    "chances": "probabilities",
    "compute_unsafe": "compute_exclusion",
    "continuity": "gap_filter",
    "crowding": "occlusion",
    "doubtful": "review_regions, low_confidence",
    "facts": "diagnostics",
    "faint": "low_confidence",
    "faint_score": "low_confidence_threshold",
    "first law": "the reason itself",
    "happenings": "events",
    "hungarian": "linear_assignment",
    "intake": "reorder_buffer",
    "interview": "vlm_query",
    "key posture": "keyframe",
    "key postures": "keyframes",
    "leash": "dead band",
    "patience": "timeout",
    "privcam_cli.launching": "privcam_bringup.launching",
    "privcam_core.wire": "privcam_link.wire",
    "privcam_edge.privacy": "privcam_privacy",
    "proven": "confirmed",
    "rig": "testbed",
    "scuffle": "fight",
    "scuffles": "fight_detection",
    "smuggled": "covert_channels",
    "smuggling": "covert_channels",
    "studio": "generation_pipeline",
    "swerve": "process noise",
    "way_down": "descent",
    "weak_score": "match_threshold",
}


def tracked_files() -> list[str]:
    """Return the files of the project, also those that are not committed yet, relative to the root."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    return sorted({name for name in listed if (ROOT / name).is_file()} - EXCEPTIONS)


FILES = tracked_files()


def parts_of(name: str) -> list[str]:
    """Return the lower-case words of a snake_case, CamelCase or UPPER_CASE name."""
    return [part for part in re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_") if part]


def holds(name: str, word: str) -> bool:
    """Return whether the words of `word` follow each other in a name."""
    parts, wanted = parts_of(name), word.split("_")
    return any(parts[at : at + len(wanted)] == wanted for at in range(len(parts)))


def definitions(source: str) -> Iterator[str]:
    """Yield every name that a module defines: classes, functions, parameters, attributes, variables, import aliases.

    Names of tests are sentences, and left out.
    """
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            if not node.name.startswith("test_"):
                yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.attr
        elif isinstance(node, ast.alias) and node.asname:
            yield node.asname


def names_by_file() -> dict[str, set[str]]:
    """Return the defined names of every module, and its own name with those of its folders."""
    names: dict[str, set[str]] = {}
    for file in FILES:
        if file.endswith(".py"):
            path = Path(file)
            own = set() if path.name.startswith("test_") else {path.stem}
            names[file] = {*definitions((ROOT / file).read_text(encoding="utf-8")), *path.parent.parts, *own}
    return names


NAMES = names_by_file()


def texts() -> Iterator[tuple[str, str]]:
    """Yield (file, text) of every file that holds text."""
    for file in FILES:
        try:
            yield file, (ROOT / file).read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


TEXTS = dict(texts())


def test_words_of_a_name_are_told_apart() -> None:
    assert parts_of("PictureLane") == ["picture", "lane"]
    assert parts_of("_LEFT_OUT2_s") == ["left", "out2", "s"]
    assert holds("left_out_clips", "left_out")
    assert not holds("leftover", "left")


def test_definitions_of_every_kind_are_read() -> None:
    source = "import a as b\nclass C:\n    def d(self, e):\n        self.f = g = 1\ndef test_h(): pass\n"
    assert set(definitions(source)) == {"b", "C", "d", "self", "e", "f", "g"}


@pytest.mark.parametrize("word", sorted({**IN_NAMES, **ANYWHERE}))
def test_no_name_uses_a_retired_word(word: str) -> None:
    found = defaultdict(list)
    for file, names in NAMES.items():
        for name in names:
            if holds(name, word):
                found[name].append(file)
    assert dict(found) == {}, f"use {({**IN_NAMES, **ANYWHERE})[word]}"


@pytest.mark.parametrize("word", sorted(ANYWHERE))
def test_no_text_uses_a_retired_coinage(word: str) -> None:
    pattern = re.compile(rf"(?<![A-Za-z]){word}(?![A-Za-z])", re.IGNORECASE)
    found = {file: len(pattern.findall(text)) for file, text in TEXTS.items() if pattern.search(text)}
    assert found == {}, f"use {ANYWHERE[word]}"


def test_every_file_that_the_glossary_names_exists() -> None:
    text = (ROOT / "docs/glossary.md").read_text(encoding="utf-8")
    named = {name.rstrip("/") for name in re.findall(r"`((?:privcam_|training/|test/)[\w/]+(?:\.py|/))`", text)}
    assert len(named) > 30
    folders = {*FILES, *(str(parent) for file in FILES for parent in Path(file).parents)}
    assert [name for name in named if not any(path == name or path.endswith(f"/{name}") for path in folders)] == []
