"""Zones: polygons in fractions of the picture, with clear errors; what is in a mask zone is never shown or learnt."""

import numpy as np
import pytest

from privcam_core.types.perception import Detections
from privcam_privacy.background.engine import EngineResult, PrivacyEngine
from privcam_privacy.background.engine_settings import EngineSettings
from privcam_privacy.background.grid import from_grid
from privcam_privacy.evidence.approved_background import ApprovedState
from privcam_privacy.evidence.zones import parse_zones, zone_cells
from privcam_privacy.state.restoration import BackgroundState

SHAPE = (240, 320)
SCREEN = np.s_[60:150, 80:200]
ZONES = parse_zones("0.25,0.25 0.625,0.25 0.625,0.625 0.25,0.625", "mask_zones")
NOBODY = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))


def test_zones_are_read_and_drawn_outwards_in_every_size() -> None:
    assert parse_zones("", "mask_zones") == parse_zones("  ", "mask_zones") == ()
    first, second = parse_zones("0,0 0.5,0 0.5,0.5; 0.5,0.5  1,0.5 1,1 0.5,1", "mask_zones")
    assert first == ((0.0, 0.0), (0.5, 0.0), (0.5, 0.5))
    for shape in (SHAPE, (97, 131), (480, 640)):
        drawn = from_grid(zone_cells([second], shape), shape) > 0
        height, width = shape
        assert drawn[height // 2 + 1 :, width // 2 + 1 :].all()
        assert not drawn[: height // 2 - 2].any() and not drawn[:, : width // 2 - 2].any()
    assert not zone_cells([], SHAPE).any()


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("0,0 1,1", "polygon 1: has 2 corner"),
        ("0,0 1,0 1,1;", "polygon 2: has 0 corner"),
        ("0,0 1,0 1", "corner '1' is not two numbers"),
        ("0,0 1,0 1,x", "corner '1,x' is not two numbers"),
        ("0,0 320,0 320,240", "corner '320,0' is not in the picture; give fractions"),
        ("0,0 nan,0 1,1", "corner 'nan,0' is not in the picture"),
        ("0,0 0.5,0.5 1,1", "has no area"),
    ],
)
def test_a_zone_that_cannot_be_meant_is_refused_with_its_place(text: str, error: str) -> None:
    with pytest.raises(ValueError, match=rf"^mask_zones: .*{error}"):
        parse_zones(text, "mask_zones")


def room() -> np.ndarray:
    coarse = np.random.default_rng(3).integers(60, 190, (30, 40, 3)).astype(np.uint8)
    return np.kron(coarse, np.ones((8, 8, 1), np.uint8))


def run(settings: EngineSettings, *, moving: bool, states: tuple[ApprovedState, ...] = ()) -> list[EngineResult]:
    """Return the results of 12 s of a room with a screen; nobody is ever detected."""
    engine, random = PrivacyEngine(settings, states), np.random.default_rng(5)
    results = []
    for number in range(60):
        picture = room()
        if moving:
            picture[SCREEN] = np.kron(random.integers(0, 255, (9, 12, 3)), np.ones((10, 10, 1)))
        image = np.clip(picture + random.normal(0, 1.5, picture.shape), 0, 255).astype(np.uint8)
        stamp_ns = 10**18 + number * 2 * 10**8
        results.append(engine.update(image, NOBODY, [], np.zeros(SHAPE, np.bool_), stamp_ns))
    assert not engine.presences.any()
    return results


@pytest.mark.parametrize("evidence", ["transit", "commissioned"])
@pytest.mark.parametrize("moving", [False, True])
def test_a_mask_zone_is_never_shown_and_the_room_around_it_is(evidence: str, moving: bool) -> None:
    state = ApprovedState("day", room(), np.ones(SHAPE, np.bool_))
    settings = EngineSettings(evidence=evidence, mask_zones=ZONES)
    results = run(settings, moving=moving, states=(state,))
    assert not any(result.confirmed[SCREEN].any() for result in results)
    outside = np.ones(SHAPE, np.bool_)
    outside[50:160, 70:210] = False
    assert results[-1].confirmed[outside].mean() > 0.99


def test_no_byte_depends_on_what_is_in_a_mask_zone() -> None:
    settings = EngineSettings(evidence="transit", mask_zones=ZONES)
    one, two = PrivacyEngine(settings), PrivacyEngine(settings)
    random = np.random.default_rng(9)
    nobody = np.zeros(SHAPE, np.bool_)
    for number in range(40):
        image = np.clip(room() + random.normal(0, 1.5, room().shape), 0, 255).astype(np.uint8)
        other = image.copy()
        other[SCREEN] = random.integers(0, 255, other[SCREEN].shape)
        stamp_ns = 10**18 + number * 2 * 10**8
        exclusion = one.compute_exclusion(image, NOBODY, [], nobody, stamp_ns)
        first, second = (engine.absorb(seen, exclusion, [], stamp_ns) for engine, seen in ((one, image), (two, other)))
        assert np.array_equal(first.environment_plate, second.environment_plate)
        assert not np.any(zone_cells(ZONES, SHAPE) & ~exclusion.mask)
    assert first.confirmed.any()


def test_a_background_from_before_a_restart_is_not_shown_in_a_zone_that_was_drawn_since() -> None:
    everything, nothing = np.ones(SHAPE, np.bool_), np.zeros(SHAPE, np.bool_)
    engine = PrivacyEngine(EngineSettings(evidence="transit", mask_zones=ZONES))
    engine.restore(BackgroundState(room(), everything, nothing))
    for number in range(30):
        result = engine.update(room(), NOBODY, [], nothing, 10**18 + number * 2 * 10**8)
    assert result.confirmed.mean() > 0.5
    assert not result.confirmed[SCREEN].any()


def test_without_a_zone_the_still_screen_is_shown() -> None:
    assert run(EngineSettings(evidence="transit"), moving=False)[-1].confirmed[SCREEN].all()
