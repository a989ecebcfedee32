import pytest

from privcam_core.events.event_tracker import ActiveEvent, EventTracker
from privcam_core.events.scene_report import Event, Phase

ORIGIN = 1_700_000_000_000_000_000


def active(
    label: str = "lying", started: float = 1.0, confidence: float = 0.9, ids: tuple[int, ...] = (4,)
) -> ActiveEvent:
    return ActiveEvent(label, ids, confidence, started, f"{label} at {confidence}")


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
