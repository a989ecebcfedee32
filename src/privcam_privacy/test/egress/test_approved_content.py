"""What an operator approved may be shown although a network takes it for a person; nothing else may."""

import cv2
import numpy as np
import pytest

from privcam_core.detection.inspection import SensitiveDetection
from privcam_core.images.environment import FILL
from privcam_core.inline_executor import InlineExecutor
from privcam_privacy.background.engine import EngineResult
from privcam_privacy.egress.approved_content import ApprovedContent
from privcam_privacy.egress.inspection import Egress
from privcam_privacy.evidence.approved_background import ApprovedState

SHAPE = (240, 320)
SOFA = (100.0, 60.0, 180.0, 200.0)
EVERYTHING = np.ones(SHAPE, np.bool_)


def room() -> np.ndarray:
    coarse = np.random.default_rng(3).integers(60, 190, (15, 20, 3)).astype(np.uint8)
    return cv2.GaussianBlur(np.kron(coarse, np.ones((16, 16, 1), np.uint8)), (0, 0), 2.0)


def in_light(picture: np.ndarray, gain: float, slope: float = 0.0) -> np.ndarray:
    surface = gain * (1 + slope * np.linspace(-1, 1, SHAPE[1]))[None, :, None]
    return np.clip(np.rint(picture * surface), 0, 255).astype(np.uint8)


def content(confirmed: np.ndarray = EVERYTHING) -> ApprovedContent:
    return ApprovedContent([ApprovedState("day", room(), confirmed)])


@pytest.mark.parametrize("gain", [0.5, 0.8, 1.0, 1.2])
@pytest.mark.parametrize("slope", [0.0, 0.2])
def test_approved_room_is_known_again_in_another_light(gain: float, slope: float) -> None:
    assert content().covers(in_light(room(), gain, slope), EVERYTHING, [SOFA]) == [True]


def test_holes_are_no_other_content() -> None:
    confirmed, plate = EVERYTHING.copy(), room()
    confirmed[100:160, 120:260] = False
    plate[~confirmed] = FILL
    assert content().covers(plate, confirmed, [SOFA]) == [True]


@pytest.mark.parametrize("where", [np.s_[80:180, 120:160], np.s_[100:104, 110:114]], ids=["body", "hand"])
@pytest.mark.parametrize("levels", [25, -25])
def test_anything_in_the_box_that_was_not_approved_is_found(where: tuple[slice, slice], levels: int) -> None:
    plate = room().astype(int)
    plate[where] += levels
    assert content().covers(np.clip(plate, 0, 255).astype(np.uint8), EVERYTHING, [SOFA]) == [False]


def test_what_was_not_approved_is_not_covered_even_if_it_looks_the_same() -> None:
    approved = EVERYTHING.copy()
    approved[120:130, 130:140] = False
    assert content(approved).covers(room(), EVERYTHING, [SOFA]) == [False]


def test_another_size_and_no_state_cover_nothing() -> None:
    assert content().covers(room()[::2, ::2].copy(), EVERYTHING[::2, ::2].copy(), [(50.0, 30.0, 90.0, 100.0)]) == [
        False
    ]
    assert ApprovedContent([]).covers(room(), EVERYTHING, [SOFA]) == [False]


class Inspector:
    """Takes the sofa for a person, in every picture that shows some of it."""

    def inspect(self, png: bytes) -> list[SensitiveDetection]:
        picture = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
        shown = float((picture[60:200, 100:180, 3] > 0).mean())
        return [SensitiveDetection("person", SOFA, 0.9, shown)]


@pytest.mark.parametrize("somebody", [False, True])
def test_egress_shows_the_approved_sofa_and_blanks_whoever_is_in_front_of_it(somebody: bool) -> None:
    plate = room()
    if somebody:
        plate[80:180, 120:160] = 255 - plate[80:180, 120:160]
    egress = Egress(Inspector(), InlineExecutor(), approved=content())
    picture, certain = egress.update(EngineResult(plate, EVERYTHING, True, 1, 0.0, 0.0, 0.0), 0)
    assert bool(picture.confirmed[60:200, 100:180].any()) is not somebody
    assert bool(certain) is somebody
