"""The Ω bags of labelled clips: one for each clip, whatever their files are called, and a bad one costs only itself."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from privcam_evaluation.recognition import eval_command
from privcam_evaluation.recognition.labelled_clips import BadAnnotations, read_annotations
from privcam_evaluation.recognition.omega_bags import bags_of, read_bag

SIZE = 96, 64


def write_clip(path: Path, frames: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 10, SIZE)
    for index in range(frames):
        writer.write(np.full((SIZE[1], SIZE[0], 3), 40 + index, np.uint8))
    writer.release()


def label(folder: Path, *names: str) -> None:
    entries = [{"file": name, "label": "adl", "fps": 10} for name in names]
    (folder / "annotations.json").write_text(json.dumps(entries), encoding="utf-8")


def test_clips_of_one_file_name_in_two_folders_have_a_bag_each(tmp_path: Path) -> None:
    write_clip(tmp_path / "a/49.mp4", 3)
    write_clip(tmp_path / "b/49.mp4", 5)
    label(tmp_path, "a/49.mp4", "b/49.mp4")
    bags = bags_of(read_annotations(tmp_path), tmp_path / "bags", processes=2)
    assert {name: len(read_bag(bag)) for name, bag in bags.paths.items()} == {"a/49.mp4": 3, "b/49.mp4": 5}


def test_clip_that_was_replaced_gets_a_new_bag_and_an_unchanged_one_keeps_its_own(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", 3)
    write_clip(tmp_path / "b.mp4", 3)
    label(tmp_path, "a.mp4", "b.mp4")
    before = bags_of(read_annotations(tmp_path), tmp_path / "bags", processes=1).paths
    made = (before["b.mp4"] / "metadata.yaml").stat().st_mtime_ns
    write_clip(tmp_path / "a.mp4", 4)
    after = bags_of(read_annotations(tmp_path), tmp_path / "bags", processes=1).paths
    assert len(read_bag(after["a.mp4"])) == 4
    assert after["b.mp4"] == before["b.mp4"]
    assert (after["b.mp4"] / "metadata.yaml").stat().st_mtime_ns == made


def test_what_an_ended_run_left_behind_is_not_taken_for_a_bag(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", 3)
    label(tmp_path, "a.mp4")
    clips = read_annotations(tmp_path)
    (bag,) = bags_of(clips, tmp_path / "bags", processes=1).paths.values()
    bag.rename(bag.with_name(f"{bag.name}.part"))
    (again,) = bags_of(clips, tmp_path / "bags", processes=1).paths.values()
    assert len(read_bag(again)) == 3
    assert sorted(path.name for path in again.parent.iterdir()) == [again.name]


def test_clip_that_cannot_be_read_costs_that_clip_and_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_clip(tmp_path / "good.mp4", 3)
    (tmp_path / "bad.mp4").write_bytes(b"no video")
    label(tmp_path, "bad.mp4", "good.mp4")
    arguments = [str(tmp_path), "--models", "rules", "--processes", "1", "--out", str(tmp_path / "out")]
    assert eval_command.main(arguments) == 1
    report = json.loads((tmp_path / "out/eval.json").read_text(encoding="utf-8"))
    assert report["falls"]["other_clips"] == 1
    assert list(report["failed"]) == ["bad.mp4"]
    assert "bad.mp4" in report["failed"]["bad.mp4"]
    assert "not evaluated, see above: bad.mp4" in capsys.readouterr().err


def test_entry_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", 3)
    label(tmp_path, "a.mp4", "./a.mp4")
    with pytest.raises(BadAnnotations, match=r"entry 1: a\.mp4 is there twice"):
        read_annotations(tmp_path)


def test_last_picture_of_a_fall_is_held_with_noise_and_other_clips_end(tmp_path: Path) -> None:
    write_clip(tmp_path / "a.mp4", 3)
    write_clip(tmp_path / "b.mp4", 3)
    entries = [{"file": "a.mp4", "label": "fall", "fps": 10}, {"file": "b.mp4", "label": "adl", "fps": 10}]
    (tmp_path / "annotations.json").write_text(json.dumps(entries), encoding="utf-8")
    clips = read_annotations(tmp_path)
    held = bags_of(clips, tmp_path / "bags", processes=1, held_s=2.0).paths
    stamps = [omega.key.stamp_ns for omega in read_bag(held["a.mp4"])]
    assert len(stamps) == 3 + 10
    assert (stamps[-1] - stamps[2]) / 1e9 == pytest.approx(2.0)
    assert len(read_bag(held["b.mp4"])) == 3
    # A bag that is not held is another one.
    assert len(read_bag(bags_of(clips, tmp_path / "bags", processes=1).paths["a.mp4"])) == 3
