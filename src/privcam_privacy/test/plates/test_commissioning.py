"""Commissioning: the published parts of a room, the regions to review, and parts that need a decision."""

import numpy as np
import pytest

from privcam_core.images.environment import decode_environment
from privcam_core.types.arrays import Box
from privcam_core.types.perception import Detections, Track, TrackState
from privcam_privacy.plates.commissioning import Commissioning, CommissionSettings
from privcam_privacy.plates.pending import PendingPlate
from privcam_privacy.plates.plate_records import Reason

SHAPE = (120, 160)
FPS = 5
NOW = 1_700_000_000 * 10**9
STAND: Box = (60.0, 30.0, 90.0, 100.0)
COAT = np.kron(np.random.default_rng(8).integers(0, 256, (35, 15, 3)).astype(np.uint8), np.ones((2, 2, 1), np.uint8))


def room() -> np.ndarray:
    coarse = np.random.default_rng(3).integers(60, 190, (15, 20, 3)).astype(np.uint8)
    return np.kron(coarse, np.ones((8, 8, 1), np.uint8))


def with_coat(left: int = 60) -> np.ndarray:
    drawn = room()
    drawn[30:100, left : left + 30] = COAT
    return drawn


def found(*boxes: Box, score: float = 0.9) -> Detections:
    return Detections(np.array(boxes, np.float32).reshape(-1, 4), np.full(len(boxes), score, np.float32))


def track(box: Box) -> Track:
    return Track(1, box, (0.0, 0.0, 0.0, 0.0), 0.9, TrackState.CONFIRMED, 9, 9, 0)


def nobody(_picture: np.ndarray, _confirmed: np.ndarray) -> list[Box]:
    return []


def watch(
    frames: list[np.ndarray],
    boxes: list[Box | None],
    *,
    score: float = 0.9,
    tracked: bool = True,
    declared: np.ndarray | None = None,
) -> Commissioning:
    commissioning = Commissioning("room", CommissionSettings(min_s=6.0), declared)
    noise = np.random.default_rng(5)
    for number, (still, box) in enumerate(zip(frames, boxes, strict=True)):
        image = (still + noise.integers(-3, 4, (*SHAPE, 1))).clip(0, 255).astype(np.uint8)
        seen = found(box, score=score) if box else found()
        tracks = [track(box)] if box and tracked else []
        commissioning.add(image, seen, tracks, np.zeros(SHAPE, np.bool_), NOW + number * 10**9 // FPS)
    return commissioning


def watch_still(image: np.ndarray, box: Box | None = None, seconds: float = 12.0, **how: object) -> Commissioning:
    count = round(seconds * FPS)
    return watch([image] * count, [box] * count, **how)  # type: ignore[arg-type]


def planes(pending: PendingPlate) -> tuple[np.ndarray, np.ndarray]:
    return decode_environment(pending.png)


def test_empty_room_is_confirmed_whole_and_nothing_is_asked() -> None:
    commissioning = watch_still(room())
    pending = commissioning.make_pending(nobody, NOW)
    picture, confirmed = planes(pending)
    assert commissioning.done
    assert confirmed.all()
    assert np.abs(picture.astype(int) - room()).max() <= 2
    assert not pending.regions
    assert pending.approve("Ines Ohm", NOW).digest == pending.digest


def test_recording_goes_on_until_enough_is_confirmed_or_the_time_is_over() -> None:
    assert not watch_still(room(), seconds=3.0).done
    assert not watch_still(with_coat(), STAND, seconds=12.0).done
    assert watch_still(with_coat(), STAND, seconds=21.0).done


def test_tracked_person_is_blank_and_cannot_be_approved_without_a_decision() -> None:
    pending = watch_still(with_coat(), STAND).make_pending(nobody, NOW)
    _, confirmed = planes(pending)
    assert [region.reason for region in pending.undecided()] == [Reason.PERSON]
    assert not confirmed[30:100, 60:90].any()
    with pytest.raises(ValueError, match="nobody decided"):
        pending.approve("Ines Ohm", NOW)


def test_region_stays_blank_where_somebody_walked_before() -> None:
    """The ordinary engine would publish the wall again; an approved plate needs a room that was empty."""
    frames = [with_coat(10)] * 10 + [room()] * 60
    boxes: list[Box | None] = [(10.0, 30.0, 40.0, 100.0)] * 10 + [None] * 60
    pending = watch(frames, boxes).make_pending(nobody, NOW)
    _, confirmed = planes(pending)
    assert not confirmed[30:100, 10:40].any()
    assert pending.undecided()


def test_thing_that_looks_like_a_person_is_published_when_the_operator_says_so() -> None:
    commissioning = watch_still(with_coat(), STAND)
    pending = commissioning.make_pending(nobody, NOW)
    number = pending.undecided()[0].number
    reviewed = commissioning.open_regions(pending, *planes(pending), [number])
    picture, confirmed = planes(reviewed)
    assert confirmed[30:100, 60:90].all()
    assert np.abs(picture[30:100, 60:90].astype(int) - COAT).max() <= 2
    assert reviewed.digest != pending.digest
    assert [region.decision for region in reviewed.approve("Ines Ohm", NOW).regions] == ["shown"]


def test_moving_object_stays_blank_whatever_the_operator_says() -> None:
    frames = [with_coat(50 + 4 * (number % 6)) for number in range(60)]
    boxes: list[Box | None] = [(50.0 + 4 * (n % 6), 30.0, 80.0 + 4 * (n % 6), 100.0) for n in range(60)]
    commissioning = watch(frames, boxes)
    pending = commissioning.make_pending(nobody, NOW)
    reviewed = commissioning.open_regions(pending, *planes(pending), [r.number for r in pending.undecided()])
    _, confirmed = planes(reviewed)
    assert not confirmed[35:95, 56:94].any()


def test_region_that_does_not_exist_cannot_be_opened() -> None:
    commissioning = watch_still(room())
    pending = commissioning.make_pending(nobody, NOW)
    with pytest.raises(ValueError, match="region 7: there is none"):
        commissioning.open_regions(pending, *planes(pending), [7])


def test_declared_thing_is_in_the_next_recording_without_a_question() -> None:
    first = watch_still(with_coat(), STAND).make_pending(nobody, NOW)
    declared = first.labels == first.undecided()[0].number
    second = watch_still(with_coat(), STAND, declared=declared).make_pending(nobody, NOW)
    _, confirmed = planes(second)
    assert confirmed[declared].all()
    assert [(region.reason, region.decision) for region in second.regions] == [(Reason.DECLARED, "shown")]
    assert second.approve("Ines Ohm", NOW)


def test_person_who_stands_before_a_declared_thing_is_still_a_person() -> None:
    first = watch_still(with_coat(), STAND).make_pending(nobody, NOW)
    declared = first.labels == first.undecided()[0].number
    person: Box = (70.0, 20.0, 140.0, 115.0)
    second = watch_still(with_coat(), person, declared=declared).make_pending(nobody, NOW)
    _, confirmed = planes(second)
    assert second.undecided()
    assert not confirmed[30:100, 72:90].any()


def test_box_that_was_not_tracked_is_blank_but_needs_no_decision() -> None:
    pending = watch_still(with_coat(), STAND, score=0.3, tracked=False).make_pending(nobody, NOW)
    assert [region.reason for region in pending.regions] == [Reason.LIKENESS]
    assert not pending.undecided()
    assert pending.approve("Ines Ohm", NOW)


def test_low_confidence_box_is_published_and_pointed_out() -> None:
    pending = watch_still(with_coat(), STAND, score=0.2, tracked=False).make_pending(nobody, NOW)
    assert [(region.reason, region.confirmed_fraction) for region in pending.regions] == [(Reason.LOW_CONFIDENCE, 1.0)]


def test_finding_of_the_inspection_is_blank_also_when_it_appears_only_in_a_later_round() -> None:
    seen: list[float] = []

    def inspect(_picture: np.ndarray, confirmed: np.ndarray) -> list[Box]:
        seen.append(float(confirmed.mean()))
        return [(10.0, 10.0, 30.0, 40.0)] if len(seen) == 1 else [(110.0, 70.0, 130.0, 100.0)][: 3 - len(seen)]

    pending = watch_still(room()).make_pending(inspect, NOW)
    _, confirmed = planes(pending)
    assert [region.reason for region in pending.regions] == [Reason.INSPECTION, Reason.INSPECTION]
    assert not confirmed[10:40, 10:30].any()
    assert not confirmed[70:100, 110:130].any()
    assert seen[0] > seen[1] > seen[2]


def test_outline_of_a_region_that_was_just_blanked_is_no_person() -> None:
    def inspect(_picture: np.ndarray, confirmed: np.ndarray) -> list[Box]:
        return [(10.0, 10.0, 30.0, 40.0)] if confirmed.all() else [(0.0, 0.0, 60.0, 80.0)]

    pending = watch_still(room()).make_pending(inspect, NOW)
    _, confirmed = planes(pending)
    assert confirmed[60:, 40:].all()


def test_room_that_was_seen_too_briefly_is_asked_about() -> None:
    pending = watch_still(room(), seconds=2.0).make_pending(nobody, NOW)
    assert [region.reason for region in pending.regions] == [Reason.UNCONFIRMED]
    with pytest.raises(ValueError, match="shows nothing"):
        pending.approve("Ines Ohm", NOW)


def test_frame_of_another_size_ends_the_recording() -> None:
    commissioning = watch_still(room(), seconds=1.0)
    with pytest.raises(ValueError, match="the recording began with 120x160"):
        commissioning.add(np.zeros((60, 80, 3), np.uint8), found(), [], np.zeros((60, 80), np.bool_), NOW)


def test_recording_without_a_frame_gives_no_plate() -> None:
    with pytest.raises(ValueError, match="no frame"):
        Commissioning("room").make_pending(nobody, NOW)
