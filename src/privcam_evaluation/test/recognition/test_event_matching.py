"""What an evaluation counts, and what it says of a labels file that cannot be used."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from privcam_evaluation.recognition.event_matching import KINDS, ClipResult, ReportedEvent
from privcam_evaluation.recognition.labelled_clips import BadAnnotations, Clip, read_annotations
from privcam_evaluation.recognition.scores import calibration_error, confusion, reliability, scores


def clip(label: str, fall: tuple[int, int] | None = None, name: str = "a") -> Clip:
    return Clip(Path(f"{name}.mp4"), name, label, fall, "s1", "room", 10.0, depth_beside=False)


def judged(shown: Clip, events: Sequence[ReportedEvent] = ()) -> ClipResult:
    """Return the result of a clip whose frames come at its nominal rate."""
    marks = None if shown.fall is None else (shown.fall[0] / shown.rate, shown.fall[1] / shown.rate)
    return ClipResult(shown, marks, list(events))


def fall(reported: float) -> ReportedEvent:
    return ReportedEvent("fall", reported, 0.8)


def fight() -> ReportedEvent:
    return ReportedEvent("pushing_fighting", 1.0, 0.7)


def test_fall_that_is_reported_is_a_hit_with_its_delay_from_the_body_at_rest() -> None:
    seen = judged(clip("fall", (10, 20)), [fall(2.6)])
    assert seen.hit is not None
    assert seen.delay_s == pytest.approx(0.6)
    assert seen.false_alarms == 0


def test_fall_that_is_reported_before_it_happens_is_a_false_alarm_and_no_hit() -> None:
    seen = judged(clip("fall", (50, 60)), [fall(2.0)])
    assert (seen.hit, seen.false_alarms) == (None, 1)


def test_second_report_of_one_fall_is_a_false_alarm() -> None:
    assert judged(clip("fall", (10, 20)), [fall(2.1), fall(4.0)]).false_alarms == 1


def test_scores_count_recall_alarms_and_fights() -> None:
    result = scores(
        [
            judged(clip("fall", (10, 20), "hit"), [fall(2.5)]),
            judged(clip("fall", (10, 20), "miss")),
            judged(clip("adl", name="alarm"), [fall(3.0)]),
            judged(clip("fight"), [fight()]),
            judged(clip("no_fight"), [fight()]),
            judged(clip("no_fight")),
        ]
    )
    assert (result["falls"]["recall"], result["falls"]["clips"], result["falls"]["false_alarms"]) == (0.5, 2, 1)
    assert (result["falls"]["missed"], result["falls"]["false_alarm_clips"]) == (["miss"], ["alarm"])
    assert result["falls"]["delay_s"] == 0.5
    assert result["fights"]["balanced_accuracy"] == 0.75
    assert result["ece"] is None, "nobody said how sure it was"


def test_falls_are_counted_by_source_and_misses_by_cause() -> None:
    lying = ReportedEvent("long_lie", 12.0, 0.9)
    hidden, watched = judged(clip("fall", (10, 20), "real/1"), [lying]), judged(clip("fall", (10, 20), "real/2"))
    hidden.in_view, watched.in_view = [True, False, False], [True, True, False]
    falls = scores([judged(clip("fall", (10, 20), "staged/1"), [fall(2.5)]), hidden, watched])["falls"]
    assert falls["by_source"] == {
        "real": {"clips": 2, "fall_seen": 0, "long_lie": 1, "either": 1},
        "staged": {"clips": 1, "fall_seen": 1, "long_lie": 0, "either": 1},
    }
    assert falls["missed_by_cause"] == {"not_in_view": 1, "recogniser": 1}


def test_false_alarms_are_counted_per_hour_of_ordinary_footage() -> None:
    calm, alarmed = judged(clip("adl", name="calm")), judged(clip("adl", name="alarmed"), [fall(3.0)])
    calm.length_s, alarmed.length_s = 1500.0, 300.0
    result = scores([calm, alarmed, judged(clip("fall", (10, 20)), [fall(0.1), fall(2.0)])])
    assert (result["falls"]["other_footage_s"], result["falls"]["false_alarms_per_hour"]) == (1800.0, 2.0)
    assert result["long_lies"]["false_alarms_per_hour"] == 0.0


def test_what_cannot_be_measured_is_not_a_number() -> None:
    result = scores([judged(clip("adl"))])
    assert result["falls"]["recall"] is None
    assert result["fights"]["balanced_accuracy"] is None


def test_most_serious_happening_is_what_a_clip_is_said_to_show() -> None:
    matrix = confusion([judged(clip("fight"), [fight(), fall(1.0)]), judged(clip("walking"))])
    assert matrix[KINDS.index("fight"), KINDS.index("fall")] == 1
    assert matrix[KINDS.index("ordinary"), KINDS.index("ordinary")] == 1


def test_calibration_error_is_the_distance_of_what_was_said_from_what_was_true() -> None:
    honest = [(0.25, k % 4 == 0) for k in range(100)]
    assert calibration_error(honest) == pytest.approx(0.0)
    assert calibration_error([(0.95, False)] * 10) == pytest.approx(0.95)
    assert reliability([(1.0, True), (0.0, False)]) == [(0.0, 0.0, 1), (1.0, 1.0, 1)]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "cannot be read"),
        ("[]", "no list of clips"),
        (json.dumps([{"file": "a.mp4", "fps": 10}]), "entry 0: KeyError: 'label'"),
        (json.dumps([{"file": "none.mp4", "label": "fall", "fps": 10}]), "none.mp4 is not there"),
        (json.dumps([{"file": "a.mp4", "label": "fall", "fps": 0}]), "fps 0.0"),
        (json.dumps([{"file": "a.mp4", "label": "fall", "fps": 5, "fall_frames_0based": [9, 3]}]), "makes no sense"),
    ],
)
def test_unusable_labels_are_refused_with_the_place(tmp_path: Path, content: str, says: str) -> None:
    (tmp_path / "a.mp4").write_bytes(b"")
    (tmp_path / "annotations.json").write_text(content, encoding="utf-8")
    with pytest.raises(BadAnnotations, match=r"annotations\.json") as refused:
        read_annotations(tmp_path)
    assert says in str(refused.value)


def test_labels_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"")
    entry: dict[str, Any] = {"file": "a.mp4", "label": "fall", "fps": 30.0, "fall_frames_0based": [3, 9]}
    entry["note"] = "640x240 = depth (left half) and colour"
    (tmp_path / "annotations.json").write_text(json.dumps([entry]), encoding="utf-8")
    (one,) = read_annotations(tmp_path)
    assert (one.fall, one.rate, one.subject, one.depth_beside) == ((3, 9), 30.0, "", True)
