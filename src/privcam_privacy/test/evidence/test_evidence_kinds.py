"""What may confirm background: an approved picture, stillness that was measured with power, or time alone by choice."""

import numpy as np
import pytest
from engine_film import (
    BY_PLATE,
    FPS,
    LIE,
    SHAPE,
    STAND,
    STILLNESS,
    TRANSIT,
    Film,
    approved,
    breathing,
    found,
    room,
    track,
    with_person,
)

from privcam_core.images.environment import FILL
from privcam_privacy.background.engine import PrivacyEngine
from privcam_privacy.background.engine_settings import EngineSettings
from privcam_privacy.background.grid import from_grid
from privcam_privacy.state.restoration import BackgroundState


def test_a_commissioned_room_is_shown_within_five_seconds() -> None:
    result = Film(BY_PLATE, approved()).show(room(), 5.0)
    assert result.confirmed.mean() >= 0.99
    assert np.abs(result.environment_plate.astype(int) - room()).max() <= 4


@pytest.mark.parametrize("settings", [BY_PLATE, STILLNESS])
def test_waiting_confirms_nothing(settings: EngineSettings) -> None:
    assert not Film(settings).show(room(), 30.0).confirmed.any()


def test_the_engine_says_why_it_shows_nothing_and_which_state_it_shows() -> None:
    film = Film(BY_PLATE)
    film.show(room(), 1.0)
    assert "no approved plate" in film.engine.evidence_note
    film = Film(BY_PLATE, approved(room(9), "day"))
    film.show(room(), 3.0)
    assert "sees none of the approved states" in film.engine.evidence_note
    assert not film.result.confirmed.any()
    film = Film(BY_PLATE, approved(room(9), "day"), approved(name="lamp"))
    film.show(room(), 3.0)
    assert "lamp" in film.engine.evidence_note


def test_a_sleeper_from_the_start_contradicts_the_approved_room_and_is_never_shown() -> None:
    film = Film(BY_PLATE, approved())
    for _ in range(30):
        film.show(with_person(LIE), 2.0)
        assert film.shown_of_person(LIE) == 0
    assert film.result.confirmed.mean() > 0.6
    assert not film.result.confirmed[145:195, 85:215].any()
    assert film.show(room(), 5.0).confirmed.mean() > 0.99


def test_a_sleeper_in_the_dark_is_not_shown_even_where_nothing_notices_him() -> None:
    dark = (room() * 0.12).astype(np.uint8)
    film = Film(BY_PLATE, approved(dark, "night"))
    sleeper = (with_person(LIE) * 0.12).astype(np.uint8)
    film.show(sleeper, 60.0)
    published, confirmed = film.result.environment_plate.astype(int), film.result.confirmed
    assert confirmed.mean() > 0.5
    # Whatever is published is the approved picture.
    assert np.abs(published - dark)[confirmed].max() <= 2


def test_a_chair_that_was_moved_is_never_confirmed_by_waiting() -> None:
    film = Film(BY_PLATE, approved())
    film.show(room(), 5.0)
    moved = room()
    moved[100:160, 40:100] = (20, 10, 5)
    film.show(moved, 60.0)
    assert not film.result.confirmed[106:154, 46:94].any()
    assert film.result.confirmed.mean() > 0.85
    assert film.show(room(), 8.0).confirmed.mean() > 0.99


def test_a_lamp_that_is_switched_brings_the_state_that_was_commissioned_for_it() -> None:
    lamp = np.clip(room(5) * 0.3 + room() * 0.4, 0, 255).astype(np.uint8)
    film = Film(BY_PLATE, approved(), approved(lamp, "lamp"))
    film.show(room(), 5.0)
    film.show(lamp, 6.0)
    assert film.result.confirmed.mean() >= 0.95
    assert np.abs(film.result.environment_plate.astype(int) - lamp).max() <= 4
    film.show(room(), 6.0)
    assert film.result.confirmed.mean() >= 0.95


def test_a_lamp_that_lights_a_part_of_the_room_brings_its_state_and_a_person_does_not() -> None:
    gain = np.where(np.arange(SHAPE[1]) < 150, 1.4, 0.85)[:, None]
    lit, large = np.clip(room() * gain, 0, 255).astype(np.uint8), (80, 20, 240, 230)
    film = Film(BY_PLATE, approved(), approved(lit, "lamp"))
    film.show(room(), 5.0)
    film.show(with_person(large), 8.0)
    assert "day" in film.engine.evidence_note
    assert film.shown_of_person(large) == 0
    film.show(room(), 5.0)
    result = film.show(lit, 8.0)
    assert "lamp" in film.engine.evidence_note
    assert result.confirmed.mean() >= 0.95
    assert np.abs(result.environment_plate.astype(int) - lit).max() <= 6


def test_another_exposure_of_the_commissioned_room_is_shown_in_that_light() -> None:
    lit = np.clip(room() * 0.7, 0, 255).astype(np.uint8)
    film = Film(BY_PLATE, approved())
    result = film.show(lit, 5.0)
    assert result.confirmed.mean() >= 0.99
    assert np.abs(result.environment_plate.astype(int) - lit).max() <= 6


def test_what_the_inspection_found_in_an_approved_picture_stays_withheld() -> None:
    film = Film(BY_PLATE, approved())
    film.show(room(), 5.0)
    film.engine.quarantine_boxes([STAND])
    assert not film.show(room(), 20.0).confirmed[50:190, 105:145].any()


@pytest.mark.parametrize("evidence", ["commissioned", "stillness"])
def test_a_background_from_before_a_restart_is_no_evidence_and_its_presences_hold(evidence: str) -> None:
    present = np.zeros(SHAPE, np.bool_)
    present[140:200, 80:220] = True
    film = Film(BY_PLATE if evidence == "commissioned" else STILLNESS)
    film.engine.restore(BackgroundState(room(), np.ones(SHAPE, np.bool_), present))
    result = film.show(room(), 10.0)
    assert not result.confirmed.any()
    assert film.engine.presences[145:195, 85:215].all()


def test_stillness_shows_what_did_not_move_and_never_a_sleeper_who_breathes() -> None:
    film = Film(STILLNESS)
    for _ in range(90 * FPS):
        film.show(breathing(film.time_s))
    assert film.shown_of_person(LIE) == 0
    assert film.result.confirmed[:60].mean() > 0.9


def test_stillness_has_no_power_in_the_dark_and_confirms_nothing() -> None:
    film = Film(STILLNESS)
    film.noise = 2.5
    sleeper = (with_person(LIE) * 0.06).astype(np.uint8)
    assert not film.show(sleeper, 90.0).confirmed.any()


def test_stillness_has_no_power_on_an_even_wall_nor_in_a_frozen_picture() -> None:
    assert not Film(STILLNESS).show(np.full((*SHAPE, 3), 120, np.uint8), 90.0).confirmed.any()
    frozen = Film(STILLNESS)
    frozen.noise = 0.0
    assert not frozen.show(with_person(LIE), 90.0).confirmed.any()


def test_stillness_takes_as_long_as_it_is_set_to() -> None:
    film = Film(STILLNESS)
    assert not film.show(room(), 38.0).confirmed.any()
    assert film.show(room(), 40.0).confirmed.mean() > 0.9


ROWS = ["restart", "restart, person first", "deleted", "size", "border", "border, unknown room", "sideways"]


def attack(settings: EngineSettings, row: str) -> float:
    """Return the largest fraction of a person, who breathes, that is shown in 80 s after the attack."""
    states = (approved(),)
    film = Film(settings, *states)
    lying = LIE
    if row not in ("restart, person first", "border, unknown room"):
        film.show(room(), 12.0)
    if row in ("border", "border, unknown room"):
        box = (120, 60, 190, 240)
        film.show(with_person(box), 6.0, found(box), (track(box),))
        for k in range(6):
            box = (120 - 8 * k, 60 + 20 * k, 190 + 8 * k, 240)
            film.show(with_person(box), 0.2, found(box), (track(box),))
        lying = (75, 165, 235, 238)
    elif row == "sideways":
        box = (60, 30, 100, 150)
        film.show(with_person(box), 6.0, found(box), (track(box),))
        for k in range(6):
            film.show(with_person((60 + 18 * k, 30 + 12 * k, 100 + 30 * k, 150 + 8 * k)), 0.2)
        lying = (170, 150, 290, 195)
    else:
        film.enter()
    if row == "size":
        film.show(with_person(LIE)[::2, ::2].copy())
    if row.startswith("restart") or row == "deleted":
        before, result = film.engine, film.result
        film = Film(settings, *states, start_s=film.time_s + 3.0)
        if row == "deleted":
            film.engine.suspect_everywhere()
        else:
            film.engine.restore(BackgroundState(result.environment_plate, result.confirmed, before.presences))
    highest = 0.0
    for _ in range(80 * FPS):
        film.show(breathing(film.time_s, lying))
        highest = max(highest, film.shown_of_person(lying))
    return highest


@pytest.mark.parametrize("row", ROWS)
def test_no_attack_on_the_engine_shows_anybody_in_a_commissioned_room(row: str) -> None:
    assert attack(BY_PLATE, row) == 0


@pytest.mark.parametrize("row", ROWS)
def test_no_attack_on_the_engine_shows_anybody_by_stillness(row: str) -> None:
    assert attack(STILLNESS, row) == 0


@pytest.mark.parametrize("row", ROWS)
def test_no_attack_on_the_engine_shows_anybody_in_transit(row: str) -> None:
    assert attack(TRANSIT, row) == 0


@pytest.mark.parametrize("settings", [BY_PLATE, STILLNESS])
def test_pixels_inside_the_masks_change_no_byte(settings: EngineSettings) -> None:
    rng = np.random.default_rng(4)
    live, other = PrivacyEngine(settings, [approved()]), PrivacyEngine(settings, [approved()])
    for k in range(100):
        box = (60 + min(k, 60), 40, 110 + min(k, 60), 200)
        image = np.clip(with_person(box) + rng.normal(0, 1.5, (*SHAPE, 3)), 0, 255).astype(np.uint8)
        tracks, stamp = ([track(box)] if k < 50 else []), 10**18 + k * 10**8
        exclusion = live.compute_exclusion(
            image, found(box) if tracks else found(), tracks, np.zeros(SHAPE, np.bool_), stamp
        )
        result = live.absorb(image, exclusion, tracks, stamp)
        inside = from_grid(exclusion.mask, SHAPE) > 0
        image[inside] = rng.integers(0, 256, (np.count_nonzero(inside), 3))
        replayed = other.absorb(image, exclusion, tracks, stamp)
        np.testing.assert_array_equal(result.environment_plate, replayed.environment_plate)
        np.testing.assert_array_equal(result.confirmed, replayed.confirmed)
    assert (result.environment_plate[~result.confirmed] == FILL).all()
    assert result.confirmed.any() == (settings is BY_PLATE)
