import pytest

from privcam_core.events.event_tracker import ActiveEvent, EventTracker
from privcam_core.events.scene_report import Event, Phase
from privcam_core.types.sight import Sight
from privcam_recognition.evidence_text import FALLEN, UNCLEAR, scene_caption
from privcam_recognition.rules.hysteresis import Hysteresis
from privcam_recognition.rules.rule_settings import DEFAULT

ORIGIN = 1_700_000_000_000_000_000


def active(
    label: str = "lying", started: float = 1.0, confidence: float = 0.9, ids: tuple[int, ...] = (4,)
) -> ActiveEvent:
    return ActiveEvent(label, ids, confidence, started, f"{label} at {confidence}")


def follow(*parts: tuple[dict[str, float], float], fps: float = 10.0) -> list[tuple[str, float] | None]:
    """What holds in each frame when each scores dict lasts its seconds."""
    hysteresis, held = Hysteresis(DEFAULT), []
    for scores, seconds in parts:
        for _ in range(round(seconds * fps)):
            held.append(hysteresis.update(len(held) / fps, scores))
    return held


UP, DOWN, UNSURE = {"standing": 0.9, "lying": 0.1}, {"standing": 0.1, "lying": 0.9}, {"standing": 0.45, "lying": 0.3}


def test_a_label_begins_when_it_lasted_and_is_dated_back() -> None:
    held = follow((UP, 1))
    assert held[3] is None
    assert held[4] == ("standing", 0.0)


def test_a_short_change_does_not_break_what_holds() -> None:
    assert set(follow((UP, 1), (DOWN, 0.3), (UP, 1))[5:]) == {("standing", 0.0)}


def test_a_lasting_change_is_one_new_label() -> None:
    held = follow((UP, 1), (DOWN, 2))
    assert list(dict.fromkeys(held)) == [None, ("standing", 0.0), ("lying", 1.0)]


def test_between_the_thresholds_what_holds_stays_but_nothing_begins() -> None:
    assert follow((UP, 1), (UNSURE, 3))[-1] == ("standing", 0.0)
    assert follow((UNSURE, 3))[-1] is None


def test_what_is_no_longer_there_ends_after_a_while() -> None:
    held = follow((UP, 1), ({"standing": 0.2, "lying": 0.2}, 1))
    assert held[12] == ("standing", 0.0)
    assert held[-1] is None


def test_an_event_starts_once_goes_on_and_ends_once() -> None:
    tracker, owner = EventTracker(ORIGIN), object()
    reports = [tracker.update(owner, [active()] if t < 4 else [], float(t)) for t in range(2, 7)]
    assert [[b.phase for b in r] for r in reports] == [[Phase.STARTED], [Phase.ONGOING], [Phase.ENDED], [], []]
    assert {b.event_id for r in reports for b in r} == {1}
    assert [b.start_ns - ORIGIN for r in reports for b in r] == [10**9] * 3
    assert [b.end_ns - ORIGIN for r in reports for b in r] == [2 * 10**9, 3 * 10**9, 4 * 10**9]


def test_the_start_once_told_stays_while_evidence_and_confidence_follow() -> None:
    tracker, owner = EventTracker(ORIGIN), object()
    tracker.update(owner, [active(started=1.0)], 2.0)
    (event,) = tracker.update(owner, [active(started=1.7, confidence=0.6)], 3.0)
    assert (event.start_ns, event.confidence) == (ORIGIN + 10**9, 0.6)
    assert event.evidence == "lying at 0.6"


def test_each_owner_and_each_label_has_its_own_number() -> None:
    tracker = EventTracker(ORIGIN)
    a, b = object(), object()
    found = tracker.update(a, [active("lying"), active("fall")], 2.0) + tracker.update(b, [active("lying")], 2.0)
    assert [x.event_id for x in found] == [1, 2, 3]


def test_a_forgotten_owner_ends_when_it_was_last_seen() -> None:
    tracker, owner = EventTracker(ORIGIN), object()
    tracker.update(owner, [active()], 2.0)
    (ended,) = tracker.close(owner, 2.5)
    assert (ended.phase, ended.end_ns) == (Phase.ENDED, ORIGIN + 2_500_000_000)
    assert tracker.close(owner, 9.0) == []


def test_joined_owners_keep_one_event_under_the_older_number_and_both_ids() -> None:
    tracker = EventTracker(ORIGIN)
    older, newer = object(), object()
    tracker.update(older, [active(ids=(4,))], 2.0)
    tracker.update(newer, [active(ids=(9,)), active("fall", ids=(9,))], 3.0)
    (ended,) = tracker.join(older, newer, 3.1)
    assert (ended.event_id, ended.phase) == (2, Phase.ENDED)
    going_on = tracker.update(older, [active(ids=(9, 4)), active("fall", ids=(9, 4))], 3.2)
    assert [(b.event_id, b.phase, b.subject_ids) for b in going_on] == [
        (1, Phase.ONGOING, (9, 4)),
        (3, Phase.ONGOING, (9, 4)),
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [({"subject_ids": ()}, "subject_ids"), ({"confidence": 1.2}, "confidence"), ({"end_ns": 4}, "ends")],
)
def test_a_behaviour_that_makes_no_sense_cannot_exist(change: dict[str, object], message: str) -> None:
    good: dict[str, object] = {
        "label": "fall",
        "confidence": 0.5,
        "subject_ids": (1,),
        "event_id": 1,
        "phase": Phase.STARTED,
        "start_ns": 5,
        "end_ns": 6,
        "evidence": "",
    }
    Event(**good)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=message):
        Event(**(good | change))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("states", "caption"),
    [
        ([], "Nobody in view."),
        ([("walking", 3.0)], "1 person: walking."),
        ([("lying", 12.2)], "1 person: lying for 12 s."),
        ([("walking", 3.0), (FALLEN, 12.0)], "2 people: one fell and is on the floor for 12 s, one walking."),
        ([("walking", 3.0), ("standing", 1.0), ("walking", 1.0)], "3 people: 2 walking, one standing."),
        ([(UNCLEAR, 0.0)], "1 person: in an unclear posture."),
    ],
)
def test_the_caption_tells_the_scene_in_one_sentence(states: list[tuple[str, float]], caption: str) -> None:
    assert scene_caption(states, Sight.CLEAR) == caption


def test_the_caption_of_a_camera_that_cannot_see_never_says_that_nobody_is_in_view() -> None:
    assert scene_caption([], Sight.DARK) == "Cannot see: too dark."
    assert scene_caption([("walking", 3.0)], Sight.COVERED) == "Cannot see: covered. 1 person: walking."
