import ast
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import privcam_privacy.background.clean_plate
from privcam_core.images.environment import FILL
from privcam_core.types.perception import Detections, Track, TrackState
from privcam_core.types.sight import Sight
from privcam_privacy.background.engine import PrivacyEngine
from privcam_privacy.background.engine_settings import EngineSettings
from privcam_privacy.background.grid import from_grid
from privcam_privacy.evidence.cell_evidence import PlateTimes
from privcam_privacy.state.restoration import BackgroundState

SHAPE = (120, 160)
FPS = 10
TIMES = PlateTimes(confirm_s=2.0, low_confidence_s=4.0, change_s=3.0, relearn_s=6.0)
QUICK = EngineSettings(
    evidence="transit", times=TIMES, blocking_threshold=0.25, person_hold_s=0.5, motion_hold_s=0.5, step_s=0.5
)
SHIRT = np.kron(np.random.default_rng(8).integers(0, 256, (30, 30, 3)).astype(np.uint8), np.ones((4, 4, 1), np.uint8))


def room(seed=3, shape=SHAPE):
    rows, columns = -(-shape[0] // 8), -(-shape[1] // 8)
    coarse = np.random.default_rng(seed).integers(60, 190, (rows, columns, 3)).astype(np.uint8)
    return np.kron(coarse, np.ones((8, 8, 1), np.uint8))[: shape[0], : shape[1]]


def with_person(image, box):
    x0, y0, x1, y1 = box
    drawn = image.copy()
    drawn[y0:y1, x0:x1] = SHIRT[: y1 - y0, : x1 - x0]
    return drawn


def found(*boxes, score=0.9):
    return Detections(np.array(boxes, np.float32).reshape(-1, 4), np.full(len(boxes), score, np.float32))


def track(box, state=TrackState.CONFIRMED, subject_id=1, velocity=(0.0, 0.0)):
    return Track(subject_id, tuple(map(float, box)), (*velocity, 0.0, 0.0), 0.9, state, 9, 9, 0)


class Film:
    """An engine with a clock and a noisy camera. Keeps every result and every picture of people that went in."""

    def __init__(self, settings=QUICK):
        self.engine = PrivacyEngine(settings)
        self.results = []
        self._rng = np.random.default_rng(11)

    def show(self, image, seconds=1 / FPS, detections=None, tracks=(), mask=None):
        for _ in range(max(1, round(seconds * FPS))):
            noise = self._rng.standard_normal(image.shape, np.float32) * np.float32(1.5)
            # Rounded, and cut off at 0 and 255.
            noisy = cv2.add(image.astype(np.float32), noise, dtype=cv2.CV_8U)
            where = np.zeros(image.shape[:2], np.bool_) if mask is None else mask
            stamp = 10**18 + len(self.results) * 10**9 // FPS
            self.results.append(
                self.engine.update(noisy, found() if detections is None else detections, list(tracks), where, stamp)
            )
        return self.results[-1]


def assert_publishes_only(result, background, tolerance=8):
    published = result.environment_plate[result.confirmed].astype(int)
    assert np.abs(published - background[result.confirmed]).max(initial=0) <= tolerance
    assert (result.environment_plate[~result.confirmed] == FILL).all()


def test_an_empty_room_is_published_after_the_time_of_confirmation_and_not_before():
    film = Film()
    assert not film.show(room(), 2.0).confirmed.any()
    result = film.show(room(), 2.0)
    assert result.confirmed.all()
    assert result.withheld_fraction == 0.0
    assert_publishes_only(result, room())


def test_with_the_default_settings_an_empty_room_is_confirmed_within_ten_seconds():
    assert Film(settings=EngineSettings(evidence="transit")).show(room(), 10.0).confirmed.mean() >= 0.99


def test_a_person_who_walks_is_never_published_even_when_no_detector_sees_anyone():
    film = Film()
    film.show(room(), 4.0)
    for x in range(0, 120, 3):
        film.show(with_person(room(), (x, 30, x + 30, 110)))
    for result in film.results:
        assert_publishes_only(result, room())
    assert film.results[-1].confirmed.all()


def test_a_person_who_walks_in_an_unknown_room_is_never_published_even_when_no_detector_sees_anyone():
    film = Film()
    for x in [*range(0, 120, 3), *range(120, 0, -3), *range(0, 120, 3)]:
        film.show(with_person(room(), (x, 30, x + 30, 110)))
    for result in film.results:
        assert_publishes_only(result, room())


def test_one_missed_detection_of_a_moving_person_does_not_leak():
    film = Film()
    for k, x in enumerate(range(0, 120, 2)):
        box = (x, 30, x + 30, 110)
        film.show(with_person(room(), box), detections=found(box) if k % 4 else None)
    for result in film.results:
        assert_publishes_only(result, room())


def test_lying_person_is_never_absorbed_into_the_background():
    film = Film()
    lying = (40, 80, 100, 110)
    image = with_person(room(), lying)
    film.show(image, 2.0, found(lying), [track(lying)])
    film.show(image, 60.0)
    for result in film.results:
        assert_publishes_only(result, room())
    assert not film.results[-1].confirmed[80:110, 40:100].any()
    assert film.results[-1].quarantined_fraction > 0


def test_a_person_who_lies_down_on_known_background_is_never_absorbed():
    film = Film()
    film.show(room(), 4.0)
    lying = (40, 80, 100, 110)
    film.show(with_person(room(), lying), 2.0, found(lying), [track(lying)])
    film.show(with_person(room(), lying), 60.0)
    for result in film.results:
        assert_publishes_only(result, room())
    # Once it is clear that the person was lost, the earlier background is withheld too.
    assert not film.results[-1].confirmed[80:110, 40:100].any()


def test_background_seen_again_after_a_lost_track_is_published_again():
    film = Film()
    film.show(room(), 4.0)
    box = (60, 30, 90, 110)
    film.show(with_person(room(), box), 2.0, found(box), [track(box)])
    film.show(with_person(room(), box), 6.0)
    assert not film.results[-1].confirmed.all()
    assert film.show(room(), 4.0).confirmed.all()


def test_a_person_who_sits_still_from_the_start_is_never_published():
    film = Film()
    box = (60, 30, 90, 110)
    film.show(with_person(room(), box), 60.0, found(box, score=0.3))
    assert_publishes_only(film.results[-1], room())
    assert not film.results[-1].confirmed[30:110, 60:90].any()
    assert film.results[-1].confirmed.any()


def test_a_person_detected_only_weakly_who_moves_a_hand_now_and_then_is_never_published():
    film = Film()
    box = (60, 30, 90, 110)
    for k in range(60):
        image = with_person(room(), box)
        image[60:70, 64:74] = 255 * (k % 2)
        film.show(image, 1.0, found(box, score=0.08))
    assert not any(result.confirmed[30:110, 60:90].any() for result in film.results)


def test_a_weak_false_alarm_in_an_empty_room_delays_and_does_not_prevent():
    film = Film()
    alarm = found((60, 30, 90, 110), score=0.08)
    assert not film.show(room(), 4.0, alarm).confirmed[40:100, 65:85].any()
    assert film.show(room(), 5.0, alarm).confirmed.all()


def test_a_slow_change_of_light_is_followed():
    film = Film()
    film.show(room(), 4.0)
    for factor in np.linspace(1.0, 1.3, 150):
        film.show(np.clip(room() * factor, 0, 255).astype(np.uint8))
    result = film.show(np.clip(room() * 1.3, 0, 255).astype(np.uint8), 3.0)
    assert min(r.confirmed.mean() for r in film.results[45:]) > 0.99
    assert_publishes_only(result, np.clip(room() * 1.3, 0, 255).astype(np.uint8))


@pytest.mark.parametrize("after", [(room() * 0.6).astype(np.uint8), np.roll(room(), 21, axis=1)])
def test_a_lamp_switched_or_a_camera_moved_makes_everything_unknown_and_then_known_anew(after):
    film = Film()
    film.show(room(), 4.0)
    assert not film.show(after, 1.5).confirmed.any()
    result = film.show(after, 6.0)
    assert result.confirmed.mean() > 0.99
    assert_publishes_only(result, after)


def test_a_chair_that_was_moved_is_forgotten_and_learnt_with_longer_evidence():
    film = Film()
    film.show(room(), 4.0)
    moved = room()
    moved[60:100, 20:60] = (20, 10, 5)
    film.show(moved, 4.5)
    assert not film.results[-1].confirmed[66:94, 26:54].any()
    assert not film.show(moved, 3.0).confirmed[66:94, 26:54].any()
    result = film.show(moved, 12.0)
    assert result.confirmed.mean() > 0.995
    assert_publishes_only(result, moved)


def test_background_that_becomes_suspect_is_taken_back_at_once_and_is_a_new_epoch():
    film = Film(settings=EngineSettings(evidence="transit", times=QUICK.times, step_s=1000.0))
    film.show(room(), 3.0)
    # The step of 1000 s is over at the next multiple of it; the engine gets that time.
    engine, grey = film.engine, found()
    for k in range(40):
        result = engine.update(room(), grey, [], np.zeros(SHAPE, np.bool_), 10**18 + 3 * 10**9 + k * 10**8)
    for k in range(15):
        stamp = 10**18 + 1000 * 10**9 + k * 10**8
        before, result = result, engine.update(room(), grey, [], np.zeros(SHAPE, np.bool_), stamp)
    assert result.confirmed.all()
    for k in range(15, 40):
        stamp = 10**18 + 1000 * 10**9 + k * 10**8
        before, result = result, engine.update(255 - room(), grey, [], np.zeros(SHAPE, np.bool_), stamp)
        if not result.confirmed.any():
            break
    assert not result.confirmed.any()
    assert result.changed
    assert result.epoch == before.epoch + 1


def test_an_environment_that_does_not_change_keeps_its_epoch():
    film = Film()
    film.show(room(), 4.0)
    epoch = film.results[-1].epoch
    for _ in range(200):
        result = film.show(room())
        assert (result.epoch, result.changed) == (epoch, False)


def test_the_epoch_counts_exactly_the_changes_of_the_bytes():
    film = Film()
    for k in range(150):
        box = (k, 30, k + 30, 110) if 40 < k < 80 else (0, 0, 1, 1)
        film.show(with_person(room(), box))
    assert film.results[0].changed
    assert film.results[0].epoch == 1
    for before, after in zip(film.results, film.results[1:], strict=False):
        same = np.array_equal(before.environment_plate, after.environment_plate)
        assert after.changed is not same
        assert after.epoch == before.epoch + after.changed


def test_a_picture_of_another_size_makes_everything_unknown_with_a_new_epoch():
    film = Film()
    before = film.show(room(), 4.0)
    result = film.show(room(shape=(97, 131)))
    assert result.environment_plate.shape == (97, 131, 3)
    assert not result.confirmed.any()
    assert result.changed
    assert result.epoch > before.epoch
    assert film.show(room(shape=(97, 131)), 4.0).confirmed.all()


@pytest.mark.parametrize("sizes", [[(1, 160), (120, 1), (2, 2)], [(32, 32), (60, 80), (90, 120)], [(32, 320)] * 3])
def test_somebody_lost_is_remembered_over_pictures_of_a_few_pixels(sizes):
    film = Film()
    box = (60, 30, 90, 110)
    film.show(room(), 4.0)
    for x in range(0, 60, 4):
        film.show(with_person(room(), (x, 30, x + 30, 110)), detections=found((x, 30, x + 30, 110)))
    film.show(with_person(room(), box), 2.0)
    for shape in sizes:
        if min(shape) < 32:
            with pytest.raises(ValueError, match="each side needs 32 px"):
                film.show(room(shape=shape))
        else:
            film.show(room(shape=shape))
    film.show(with_person(room(), box), 20.0)
    for result in film.results:
        if result.environment_plate.shape[:2] == SHAPE:
            assert_publishes_only(result, room())


@pytest.mark.parametrize("black", [[0, 1, 2], [0, 1], [2]])
def test_room_is_seen_again_after_channels_were_black_from_the_start(black):
    film = Film()
    dark = room().copy()
    dark[..., black] = 0
    for image in (dark, room()):
        film.show(image, 20.0)
    assert film.results[-1].confirmed.any()


@pytest.mark.parametrize("fps", [5, 30])
def test_evidence_is_measured_in_seconds_at_any_frame_rate(fps):
    engine = PrivacyEngine(QUICK)
    first = None
    for k in range(6 * fps):
        result = engine.update(room(), found(), [], np.zeros(SHAPE, np.bool_), 10**18 + k * 10**9 // fps)
        if first is None and result.confirmed.all():
            first = k / fps
    assert first is not None
    assert 2.4 <= first <= 4.0


def test_what_the_inspection_found_is_taken_back_and_does_not_come_again_by_waiting():
    film = Film()
    assert film.show(room(), 4.0).confirmed.all()
    film.engine.quarantine_boxes([(60, 30, 80, 60)])
    assert not film.show(room()).confirmed[30:60, 60:80].any()
    result = film.show(room(), 30.0)
    assert not result.confirmed[30:60, 60:80].any()
    assert result.confirmed.mean() > 0.5
    assert film.engine.presences[30:60, 60:80].all()


@pytest.mark.parametrize("evidence", ["transit", "stillness"])
def test_leg_that_the_box_of_the_inspection_cut_off_is_taken_back_with_it_and_does_not_come_again(evidence):
    film = Film(replace(QUICK, evidence=evidence, stillness_s=2.0))
    leg = (80, 46, 96, 54)
    film.show(with_person(with_person(room(), (50, 36, 80, 60)), leg), 4.0)
    film.engine.quarantine_boxes([(50, 36, 80, 60)])
    result = film.show(with_person(with_person(room(), (50, 36, 80, 60)), leg), 30.0)
    assert not result.confirmed[46:54, 80:96].any()
    assert result.confirmed.mean() > 0.3


def test_leg_that_the_box_of_a_detector_cut_off_is_no_background_while_its_owner_rests():
    film = Film()
    body, leg = (50, 36, 80, 60), (80, 44, 96, 52)
    lying = with_person(with_person(room(), body), leg)
    result = film.show(lying, 20.0, found(body), [track(body)])
    assert not result.confirmed[44:52, 80:96].any()
    assert result.confirmed.mean() > 0.3
    # The detector shows the whole body and the upper half in turn: it rests all the same.
    for count in range(100):
        seen = body if count % 2 else (50, 36, 66, 60)
        result = film.show(lying, detections=found(seen), tracks=[track(seen)])
    assert not result.confirmed[44:52, 80:96].any()


# Of somebody who rests the detector sees these boxes in turn: two halves; all of it and now and then a neighbour.
@pytest.mark.parametrize(
    "turns",
    [
        [(50, 36, 64, 60), (66, 36, 80, 60)],
        [(50, 36, 64, 60)] * 10 + [(66, 36, 80, 60)] * 10,
        [(50, 36, 80, 60)] * 6 + [(26, 36, 49, 60)],
    ],
)
def test_box_that_blinks_between_the_parts_of_somebody_who_rests_does_not_walk(turns):
    film = Film()
    lying = with_person(with_person(room(), (50, 36, 80, 60)), (80, 44, 92, 52))
    for count in range(200):
        box = turns[count % len(turns)]
        film.show(lying, detections=found(box), tracks=[track(box)])
    assert not any(result.confirmed[44:52, 80:92].any() for result in film.results)
    assert film.results[-1].confirmed.mean() > 0.3


@pytest.mark.parametrize("body", [(10, 40, 90, 76), (40, 40, 120, 76)], ids=["at the border", "inside"])
@pytest.mark.parametrize("lost_s", [0.5, 2.5, 6.0])
def test_hand_that_moves_frees_neither_a_lost_body_nor_its_leg(body, lost_s):
    x0, y0, x1, y1 = body
    leg = (x1, y0 + 10, x1 + 14, y1 - 14)
    lying, film = with_person(with_person(room(), body), leg), Film()
    film.show(lying, 3.0, found(body), [track(body)])
    film.show(lying, lost_s)
    waving = lying.copy()
    waving[y0 + 4 : y0 + 14, x0 + 2 : x0 + 10] = 255
    film.show(waving, 0.2)
    film.show(lying, 20.0)
    for region in (body, leg):
        assert not any(r.confirmed[region[1] : region[3], region[0] : region[2]].any() for r in film.results)


def test_what_the_inspection_finds_twice_is_one_presence():
    film = Film()
    film.show(room(), 4.0)
    for _ in range(3):
        film.engine.quarantine_boxes([(60, 30, 80, 60)])
        film.show(room(), 0.5)
    assert len(film.engine.presence_regions) == 1


def test_what_stays_beside_somebody_who_walks_past_is_background():
    film = Film()
    for count in range(70):
        box = (2 * count, 60, 2 * count + 15, 100)
        film.show(with_person(room(), box), detections=found(box), tracks=[track(box)])
    assert film.results[-1].confirmed[:40].mean() > 0.9


def test_whoever_was_found_by_the_inspection_and_is_then_seen_to_walk_away_leaves_background_behind():
    film = Film()
    there, gone = (60, 30, 90, 110), (130, 30, 160, 110)
    film.show(with_person(room(), there), 4.0)
    film.engine.quarantine_boxes([there])
    film.show(with_person(room(), there), 1.0, found(there), [track(there)])
    for x in range(there[0], gone[0], 5):
        box = (x, 30, x + 30, 110)
        film.show(with_person(room(), box), detections=found(box), tracks=[track(box)])
    film.show(with_person(room(), gone), 20.0, found(gone), [track(gone)])
    assert film.results[-1].confirmed[40:100, 65:85].all()
    assert_publishes_only(film.results[-1], room())


def state_of(film):
    result = film.results[-1]
    return BackgroundState(result.environment_plate, result.confirmed, film.engine.presences)


def test_after_a_restart_the_room_is_published_again_as_soon_as_the_view_matches():
    before, after = Film(), Film()
    before.show(room(), 4.0)
    after.engine.restore(state_of(before))
    assert not after.show(room()).confirmed.any()
    assert after.show(room(), 1.6).confirmed.all()
    assert_publishes_only(after.results[-1], room())


def test_after_a_restart_behind_a_person_the_restored_background_is_published_and_the_person_is_not():
    before, after = Film(), Film()
    before.show(room(), 4.0)
    after.engine.restore(state_of(before))
    box = (60, 30, 90, 110)
    result = after.show(with_person(room(), box), 1.6, found(box), [track(box)])
    assert result.confirmed.all()
    assert_publishes_only(result, room())


def test_after_a_restart_with_another_view_nothing_of_the_old_one_is_published():
    before, after = Film(), Film()
    before.show(room(), 4.0)
    after.engine.restore(state_of(before))
    after.show(room(9), 10.0)
    # Whether the view is the same is not decided before; until then nothing is confirmed.
    assert not any(result.confirmed.any() for result in after.results)
    after.show(room(9), 6.0)
    for result in after.results:
        assert_publishes_only(result, room(9))
    assert after.results[-1].confirmed.all()


def test_whoever_was_quarantined_before_a_restart_still_is_after_it():
    before, after = Film(), Film()
    lying = (40, 80, 100, 110)
    before.show(with_person(room(), lying), 2.0, found(lying), [track(lying)])
    before.show(with_person(room(), lying), 4.0)
    after.engine.restore(state_of(before))
    result = after.show(with_person(room(), lying), 60.0)
    assert_publishes_only(result, room())
    assert not result.confirmed[80:110, 40:100].any()


@pytest.mark.parametrize(
    ("image", "mask", "named"),
    [
        (np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.bool_), "image"),
        (np.zeros((4, 4, 4), np.uint8), np.zeros((4, 4), np.bool_), "image"),
        (np.zeros((4, 4, 3), np.uint16), np.zeros((4, 4), np.bool_), "image"),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 5), np.bool_), "person_mask"),
        (np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4), np.uint8), "person_mask"),
    ],
)
def test_a_wrong_input_is_refused_by_name(image, mask, named):
    with pytest.raises(ValueError, match=named):
        PrivacyEngine().update(image, found(), [], mask, 1)


def test_settings_that_make_no_sense_are_refused():
    with pytest.raises(ValueError, match="low_confidence_threshold"):
        EngineSettings(low_confidence_threshold=0.5, blocking_threshold=0.2)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), speed=st.integers(1, 5), detected=st.booleans())
def test_replaying_recorded_regions_with_other_people_inside_changes_no_byte(seed, speed, detected):
    """Non-interference of the whole engine, on a film with a person, a lost track and a moved chair."""
    # More than a body's length around the film's one person, where they may be while nothing finds them.
    shape = (240, 320)
    rng = np.random.default_rng(seed)
    live, replayed = PrivacyEngine(QUICK), PrivacyEngine(QUICK)
    largest = 0.0
    for k in range(120):
        box = (40 + min(60, k * speed), 70, 60 + min(60, k * speed), 110)
        image = with_person(room(shape=shape), box) if k < 70 else room(shape=shape)
        if k > 90:
            image[0:20, 0:20] = 250
        image = np.clip(image + rng.normal(0, 1.5, image.shape), 0, 255).astype(np.uint8)
        tracks = [track(box)] if detected and k < 50 else []
        stamp = 10**18 + k * 10**8
        exclusion = live.compute_exclusion(
            image, found(box) if tracks else found(), tracks, np.zeros(shape, np.bool_), stamp
        )
        result = live.absorb(image, exclusion, tracks, stamp)
        counterpart = image.copy()
        inside = from_grid(exclusion.mask, shape) > 0
        counterpart[inside] = rng.integers(0, 256, (np.count_nonzero(inside), 3))
        other = replayed.absorb(counterpart, exclusion, tracks, stamp)
        np.testing.assert_array_equal(result.environment_plate, other.environment_plate)
        np.testing.assert_array_equal(result.confirmed, other.confirmed)
        assert (result.changed, result.epoch, result.withheld_fraction) == (
            other.changed,
            other.epoch,
            other.withheld_fraction,
        )
        largest = max(largest, float(result.confirmed.mean()))
    assert largest > 0.2


def test_the_plate_reads_the_frame_only_after_the_unsafe_part_was_overwritten():
    tree = ast.parse(Path(privcam_privacy.background.clean_plate.__file__).read_text(encoding="utf-8"))
    absorb = next(n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef) and n.name == "absorb")
    reads = [n for n in ast.walk(absorb) if isinstance(n, ast.Name) and n.id == "image"]
    copy = next(n for n in ast.walk(absorb) if isinstance(n, ast.Assign) and ast.unparse(n.targets[0]) == "frame")
    assert all(copy.lineno <= read.lineno <= (copy.end_lineno or 0) for read in reads)
    assert ast.unparse(copy.value).startswith("cv2.copyTo(image, from_grid(safe,")


def test_while_the_camera_is_blind_nothing_is_confirmed_and_no_presence_ends():
    film = Film()
    dark = (room() * 0.2).astype(np.uint8)
    result = film.show(dark, 20.0)
    assert result.sight is Sight.DARK
    assert not result.confirmed.any()
    film.engine.quarantine_boxes([(40.0, 40.0, 80.0, 90.0)])
    before = film.engine.presences.mean()
    film.show(dark, 20.0)
    assert film.engine.presences.mean() >= before > 0


def test_light_after_blindness_confirms_the_room():
    film = Film()
    film.show((room() * 0.2).astype(np.uint8), 10.0)
    result = film.show(room(), 15.0)
    assert result.sight is Sight.CLEAR
    assert result.confirmed.mean() > 0.99


def test_the_sight_is_part_of_the_recorded_exclusion():
    film = Film()
    film.show(room(), 1.0)
    exclusion = film.engine.compute_exclusion(room(), found(), [], np.zeros(SHAPE, np.bool_), 10**18 + 10**9)
    assert exclusion.sight is Sight.CLEAR
    replayed = PrivacyEngine(QUICK).absorb(room(), exclusion, [], 10**18)
    assert replayed.sight is Sight.CLEAR
