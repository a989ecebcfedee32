"""Furniture that a network takes for a person is shown; a person in the place of the furniture is not."""

import numpy as np
import pytest

from privcam_core.images.environment import FILL
from privcam_core.types.perception import Detections, Track, TrackState
from privcam_privacy.background.engine import EngineResult, PrivacyEngine
from privcam_privacy.background.grid import from_grid
from privcam_privacy.evidence.approved_background import ApprovedState
from privcam_privacy.evidence.explained_boxes import find_likenesses

SHAPE = (240, 320)
FPS = 5
SOFA, BESIDE = (120, 110, 220, 200), (60, 40, 110, 200)
NOWHERE = np.zeros(SHAPE, np.bool_)


def room() -> np.ndarray:
    coarse = np.random.default_rng(3).integers(60, 190, (30, 40, 3)).astype(np.uint8)
    drawn = np.kron(coarse, np.ones((8, 8, 1), np.uint8))
    drawn[SOFA[1] : SOFA[3], SOFA[0] : SOFA[2]] = (60, 80, 110)
    return drawn


def with_shirt(box: tuple[int, int, int, int], image: np.ndarray | None = None) -> np.ndarray:
    x0, y0, x1, y1 = box
    shirt = np.random.default_rng(8).integers(0, 256, (30, 40, 3)).astype(np.uint8)
    drawn = (room() if image is None else image).copy()
    drawn[y0:y1, x0:x1] = np.kron(shirt, np.ones((8, 8, 1), np.uint8))[: y1 - y0, : x1 - x0]
    return drawn


def found(*boxes: tuple[int, int, int, int], score: float = 0.35) -> Detections:
    return Detections(np.array(boxes, np.float32).reshape(-1, 4), np.full(len(boxes), score, np.float32))


def track(number: int, box: tuple[int, int, int, int], score: float = 0.35) -> Track:
    return Track(number, tuple(map(float, box)), (0.0, 0.0, 0.0, 0.0), score, TrackState.CONFIRMED, 9, 9, 0)


def approved(image: np.ndarray | None = None, likenesses: Detections | None = None) -> ApprovedState:
    seen = found(SOFA, score=0.1) if likenesses is None else likenesses
    return ApprovedState("day", room() if image is None else image, np.ones(SHAPE, np.bool_), seen)


class Film:
    def __init__(self, state: ApprovedState, noise: float = 1.5) -> None:
        self.engine = PrivacyEngine(approved=[state])
        self._random, self._noise, self._number = np.random.default_rng(11), noise, 0

    def frame(self, image: np.ndarray) -> tuple[np.ndarray, int]:
        noisy = np.clip(np.rint(image + self._random.normal(0, self._noise, image.shape)), 0, 255).astype(np.uint8)
        self._number += 1
        return noisy, 10**18 + self._number * 10**9 // FPS

    def show(self, image: np.ndarray, seconds: float, detections: Detections, *tracks: Track) -> EngineResult:
        for _ in range(round(seconds * FPS)):
            noisy, stamp = self.frame(image)
            result = self.engine.update(noisy, detections, tracks, NOWHERE, stamp)
        return result


def inside(result: EngineResult, box: tuple[int, int, int, int]) -> np.ndarray:
    return result.confirmed[box[1] : box[3], box[0] : box[2]]


def test_furniture_that_is_taken_for_a_person_is_shown_where_the_approved_picture_explains_it() -> None:
    result = Film(approved()).show(room(), 5.0, found(SOFA), track(1, SOFA))
    assert result.confirmed.mean() >= 0.99
    unexplained = Film(approved(likenesses=found())).show(room(), 5.0, found(SOFA), track(1, SOFA))
    assert not inside(unexplained, SOFA).any()


def test_a_room_of_which_such_boxes_cover_nearly_all_is_recognised_and_shown() -> None:
    whole = (4, 4, 316, 236)
    film = Film(approved(likenesses=found(whole, score=0.1)))
    assert film.show(room(), 5.0, found(whole)).confirmed.mean() >= 0.99


def test_another_place_or_a_much_higher_score_is_a_person() -> None:
    assert not inside(Film(approved()).show(room(), 5.0, found(SOFA, score=0.6)), SOFA).any()
    aside = (SOFA[0] - 60, SOFA[1], SOFA[2] - 60, SOFA[3])
    assert not inside(Film(approved()).show(room(), 5.0, found(aside)), aside).any()


def sitting(kind: str) -> np.ndarray:
    """Somebody where the sofa is, in clothes of the sofa's colour."""
    image = room()
    if kind == "shirt":
        return with_shirt((150, 115, 190, 195))
    if kind == "slight":
        image[120:195, 145:195] = np.clip(image[120:195, 145:195] * 1.12, 0, 255)
    if kind in ("head", "slight head"):
        image[112:124, 162:174] = (120, 140, 190) if kind == "head" else (70, 95, 130)
    if kind == "hand":
        image[160:170, 150:160] = (120, 140, 190)
    return image


@pytest.mark.parametrize("kind", ["shirt", "slight", "head", "slight head", "hand"])
def test_somebody_on_the_furniture_is_not_shown_as_furniture(kind: str) -> None:
    film = Film(approved())
    result = film.show(sitting(kind), 20.0, found(SOFA), track(1, SOFA))
    assert not inside(result, SOFA).any()
    # The presence stays with the track.
    assert film.engine.presences[SOFA[1] + 5 : SOFA[3] - 5, SOFA[0] + 5 : SOFA[2] - 5].all()


@pytest.mark.parametrize("gain", [0.5, 0.25, 0.12])
def test_somebody_on_the_furniture_in_the_dark_is_not_shown_as_furniture(gain: float) -> None:
    def darken(image: np.ndarray) -> np.ndarray:
        return (image * gain).astype(np.uint8)

    film = Film(approved(darken(room())))
    assert not inside(film.show(darken(sitting("shirt")), 20.0, found(SOFA), track(1, SOFA)), SOFA).any()
    empty = Film(approved(darken(room()))).show(darken(room()), 5.0, found(SOFA), track(1, SOFA))
    assert empty.confirmed.mean() >= 0.95


def test_somebody_where_nothing_was_approved_is_no_furniture() -> None:
    confirmed = np.ones(SHAPE, np.bool_)
    confirmed[115:195, 150:190] = False
    film = Film(ApprovedState("day", room(), confirmed, found(SOFA, score=0.1)))
    result = film.show(sitting("shirt"), 6.0, found(SOFA), track(1, SOFA))
    assert not inside(result, SOFA).any()
    assert film.engine.presences[SOFA[1] + 5 : SOFA[3] - 5, SOFA[0] + 5 : SOFA[2] - 5].all()


def test_with_too_much_noise_to_see_anybody_furniture_stays_a_person() -> None:
    dark = (room() * 0.06).astype(np.uint8)
    film = Film(approved(dark), noise=14.0)
    assert not inside(film.show(dark, 5.0, found(SOFA), track(1, SOFA)), SOFA).any()


def test_beside_a_person_only_what_differs_of_the_furniture_is_withheld_and_never_shown() -> None:
    second = (190, 150, 215, 190)
    picture = with_shirt(second, with_shirt(BESIDE))
    boxes = Detections(np.array([BESIDE, (62, 105, 222, 205)], np.float32), np.array([0.8, 0.35], np.float32))
    film = Film(approved(likenesses=found((80, 105, 222, 205), score=0.1)))
    result = film.show(picture, 20.0, boxes, track(1, BESIDE, 0.8), track(2, (62, 105, 222, 205)))
    assert not inside(result, second).any()
    assert inside(result, (135, 120, 155, 195)).all()
    shown = np.abs(result.environment_plate.astype(int) - room())[result.confirmed]
    assert shown.max() <= 5


def test_furniture_leaves_no_presence_and_hides_nobody_who_gets_up_from_it() -> None:
    film = Film(approved())
    film.show(room(), 5.0, found(SOFA), track(1, SOFA))
    assert not film.engine.presences.any()
    film.show(with_shirt(BESIDE), 2.0, found(SOFA, BESIDE), track(1, BESIDE))
    assert film.engine.presences[BESIDE[1] + 5 : BESIDE[3] - 5, BESIDE[0] + 5 : BESIDE[2] - 5].all()


def test_likenesses_are_searched_in_several_exposures_and_only_in_what_was_approved() -> None:
    seen = []

    def detect(image: np.ndarray) -> Detections:
        seen.append(image)
        return found(SOFA, score=0.1 * len(seen))

    confirmed = np.ones(SHAPE, np.bool_)
    confirmed[:40] = False
    picture = np.where(confirmed[..., None], room(), np.uint8(FILL))
    state = find_likenesses(ApprovedState("day", picture, confirmed), detect)
    assert len(state.likenesses) == len(seen) >= 3
    assert all((image[:40] == FILL).all() for image in seen)
    assert len({round(float(image[40:].mean())) for image in seen}) == len(seen)


def test_pixels_inside_the_masks_change_no_byte_while_furniture_is_taken_out() -> None:
    random = np.random.default_rng(4)
    film, other = Film(approved()), PrivacyEngine(approved=[approved()])
    for number in range(60):
        here = number >= 25
        image, stamp = film.frame(with_shirt(BESIDE) if here else room())
        boxes, tracks = (found(SOFA, BESIDE), [track(1, SOFA), track(2, BESIDE)]) if here else (found(SOFA), [])
        exclusion = film.engine.compute_exclusion(image, boxes, tracks, NOWHERE, stamp)
        result = film.engine.absorb(image, exclusion, tracks, stamp)
        masked = from_grid(exclusion.mask, SHAPE) > 0
        image[masked] = random.integers(0, 256, (np.count_nonzero(masked), 3))
        replayed = other.absorb(image, exclusion, tracks, stamp)
        np.testing.assert_array_equal(result.environment_plate, replayed.environment_plate)
        np.testing.assert_array_equal(result.confirmed, replayed.confirmed)
    assert inside(result, SOFA).all()
