"""What commissioning shows of a room, what it asks about, and what it never shows without an answer."""

import numpy as np
import pytest

from privcam_core.images.environment import decode_environment
from privcam_core.types.arrays import Box
from privcam_core.types.perception import Detections, Track, TrackState
from privcam_privacy.plates.commissioning import Commissioning, CommissionSettings
from privcam_privacy.plates.pending import Candidate
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


def nobody(_picture: np.ndarray, _validity: np.ndarray) -> list[Box]:
    return []


def watch(
    frames: list[np.ndarray],
    boxes: list[Box | None],
    *,
    score: float = 0.9,
    followed: bool = True,
    declared: np.ndarray | None = None,
) -> Commissioning:
    commissioning = Commissioning("room", CommissionSettings(least_s=6.0), declared)
    for number, (image, box) in enumerate(zip(frames, boxes, strict=True)):
        seen = found(box, score=score) if box else found()
        tracks = [track(box)] if box and followed else []
        commissioning.add(image, seen, tracks, np.zeros(SHAPE, np.bool_), NOW + number * 10**9 // FPS)
    return commissioning


def watch_still(image: np.ndarray, box: Box | None = None, seconds: float = 12.0, **how: object) -> Commissioning:
    count = round(seconds * FPS)
    return watch([image] * count, [box] * count, **how)  # type: ignore[arg-type]


def planes(candidate: Candidate) -> tuple[np.ndarray, np.ndarray]:
    return decode_environment(candidate.png)


def test_empty_room_is_shown_whole_and_nothing_is_asked() -> None:
    commissioning = watch_still(room())
    candidate = commissioning.candidate(nobody, NOW)
    picture, validity = planes(candidate)
    assert commissioning.done
    assert validity.all()
    assert np.abs(picture.astype(int) - room()).max() <= 2
    assert not candidate.regions
    assert candidate.approve("Ines Ohm", NOW).digest == candidate.digest


def test_recording_goes_on_until_enough_is_proven_or_the_time_is_over() -> None:
    assert not watch_still(room(), seconds=3.0).done
    assert not watch_still(with_coat(), STAND, seconds=12.0).done
    assert watch_still(with_coat(), STAND, seconds=21.0).done


def test_what_was_followed_is_blank_and_cannot_be_approved_without_a_word() -> None:
    candidate = watch_still(with_coat(), STAND).candidate(nobody, NOW)
    _, validity = planes(candidate)
    assert [region.reason for region in candidate.undecided()] == [Reason.PERSON]
    assert not validity[30:100, 60:90].any()
    with pytest.raises(ValueError, match="nobody decided"):
        candidate.approve("Ines Ohm", NOW)


def test_region_stays_blank_where_somebody_walked_before() -> None:
    """The ordinary engine would show the wall again; a commissioned plate asks for a room that was empty."""
    frames = [with_coat(10)] * 10 + [room()] * 60
    boxes: list[Box | None] = [(10.0, 30.0, 40.0, 100.0)] * 10 + [None] * 60
    candidate = watch(frames, boxes).candidate(nobody, NOW)
    _, validity = planes(candidate)
    assert not validity[30:100, 10:40].any()
    assert candidate.undecided()


def test_thing_that_looks_like_a_person_is_shown_when_the_operator_says_so() -> None:
    commissioning = watch_still(with_coat(), STAND)
    candidate = commissioning.candidate(nobody, NOW)
    number = candidate.undecided()[0].number
    opened = commissioning.opened(candidate, *planes(candidate), [number])
    picture, validity = planes(opened)
    assert validity[30:100, 60:90].all()
    assert np.abs(picture[30:100, 60:90].astype(int) - COAT).max() <= 2
    assert opened.digest != candidate.digest
    assert [region.decision for region in opened.approve("Ines Ohm", NOW).regions] == ["shown"]


def test_what_moves_stays_blank_whatever_the_operator_says() -> None:
    frames = [with_coat(50 + 4 * (number % 6)) for number in range(60)]
    boxes: list[Box | None] = [(50.0 + 4 * (n % 6), 30.0, 80.0 + 4 * (n % 6), 100.0) for n in range(60)]
    commissioning = watch(frames, boxes)
    candidate = commissioning.candidate(nobody, NOW)
    opened = commissioning.opened(candidate, *planes(candidate), [r.number for r in candidate.undecided()])
    _, validity = planes(opened)
    assert not validity[35:95, 56:94].any()


def test_region_that_does_not_exist_cannot_be_opened() -> None:
    commissioning = watch_still(room())
    candidate = commissioning.candidate(nobody, NOW)
    with pytest.raises(ValueError, match="region 7: there is none"):
        commissioning.opened(candidate, *planes(candidate), [7])


def test_declared_thing_is_in_the_next_recording_without_a_question() -> None:
    first = watch_still(with_coat(), STAND).candidate(nobody, NOW)
    declared = first.labels == first.undecided()[0].number
    second = watch_still(with_coat(), STAND, declared=declared).candidate(nobody, NOW)
    _, validity = planes(second)
    assert validity[declared].all()
    assert [(region.reason, region.decision) for region in second.regions] == [(Reason.DECLARED, "shown")]
    assert second.approve("Ines Ohm", NOW)


def test_person_who_stands_before_a_declared_thing_is_still_a_person() -> None:
    first = watch_still(with_coat(), STAND).candidate(nobody, NOW)
    declared = first.labels == first.undecided()[0].number
    person: Box = (70.0, 20.0, 140.0, 115.0)
    second = watch_still(with_coat(), person, declared=declared).candidate(nobody, NOW)
    _, validity = planes(second)
    assert second.undecided()
    assert not validity[30:100, 72:90].any()


def test_box_that_was_not_followed_is_blank_but_asks_for_nothing() -> None:
    candidate = watch_still(with_coat(), STAND, score=0.3, followed=False).candidate(nobody, NOW)
    assert [region.reason for region in candidate.regions] == [Reason.LIKENESS]
    assert not candidate.undecided()
    assert candidate.approve("Ines Ohm", NOW)


def test_weak_box_is_shown_and_pointed_out() -> None:
    candidate = watch_still(with_coat(), STAND, score=0.2, followed=False).candidate(nobody, NOW)
    assert [(region.reason, region.shown) for region in candidate.regions] == [(Reason.WEAK, 1.0)]


def test_what_the_inspection_finds_is_blank_also_when_it_shows_only_at_a_second_look() -> None:
    seen: list[float] = []

    def inspect(_picture: np.ndarray, validity: np.ndarray) -> list[Box]:
        seen.append(float(validity.mean()))
        return [(10.0, 10.0, 30.0, 40.0)] if len(seen) == 1 else [(110.0, 70.0, 130.0, 100.0)][: 3 - len(seen)]

    candidate = watch_still(room()).candidate(inspect, NOW)
    _, validity = planes(candidate)
    assert [region.reason for region in candidate.regions] == [Reason.FINDING, Reason.FINDING]
    assert not validity[10:40, 10:30].any()
    assert not validity[70:100, 110:130].any()
    assert seen[0] > seen[1] > seen[2]


def test_outline_of_what_was_just_blanked_is_nobody() -> None:
    def inspect(_picture: np.ndarray, validity: np.ndarray) -> list[Box]:
        return [(10.0, 10.0, 30.0, 40.0)] if validity.all() else [(0.0, 0.0, 60.0, 80.0)]

    candidate = watch_still(room()).candidate(inspect, NOW)
    _, validity = planes(candidate)
    assert validity[60:, 40:].all()


def test_room_that_was_seen_too_briefly_is_asked_about() -> None:
    candidate = watch_still(room(), seconds=2.0).candidate(nobody, NOW)
    assert [region.reason for region in candidate.regions] == [Reason.UNPROVEN]
    with pytest.raises(ValueError, match="shows nothing"):
        candidate.approve("Ines Ohm", NOW)


def test_frame_of_another_size_ends_the_recording() -> None:
    commissioning = watch_still(room(), seconds=1.0)
    with pytest.raises(ValueError, match="the recording began with 120x160"):
        commissioning.add(np.zeros((60, 80, 3), np.uint8), found(), [], np.zeros((60, 80), np.bool_), NOW)


def test_recording_without_a_frame_gives_no_plate() -> None:
    with pytest.raises(ValueError, match="no frame"):
        Commissioning("room").candidate(nobody, NOW)
