"""The last look at an environment: a person or a face in it is found, wherever and however small it is."""

import cv2
import numpy as np
import pytest

from privcam_core.detection.inspection import EgressInspector, InspectionSettings, SensitiveDetection
from privcam_core.images.environment import FILL, encode_environment

HEIGHT, WIDTH = 480, 640
HAIR, SKIN, SHIRT, JEANS = (40, 50, 70), (150, 180, 225), (60, 60, 160), (110, 70, 40)


@pytest.fixture(scope="module")
def inspector() -> EgressInspector:
    return EgressInspector()


def room() -> np.ndarray:
    image = np.full((HEIGHT, WIDTH, 3), (150, 160, 165), np.uint8)
    image[300:] = (90, 110, 130)
    return image


def everything() -> np.ndarray:
    return np.ones((HEIGHT, WIDTH), bool)


def draw_person(image: np.ndarray, x: int, top: int, height: int) -> tuple[int, int, int, int]:
    """Draw a standing person with its middle at x. Returns its box."""
    unit = height / 8

    def disc(dx: float, dy: float, width: float, tall: float, colour: tuple[int, int, int], turn: float = 0) -> None:
        axes = (max(1, round(width * unit)), max(1, round(tall * unit)))
        cv2.ellipse(image, (round(x + dx * unit), round(top + dy * unit)), axes, turn, 0, 360, colour, -1, cv2.LINE_AA)

    for side in (-1, 1):
        disc(side * 0.45, 5.6, 0.38, 1.9, JEANS)
        disc(side * 0.5, 7.6, 0.42, 0.25, (30, 30, 30))
        disc(side * 1.05, 2.7, 0.28, 1.3, SHIRT, -side * 8)
        disc(side * 1.2, 4.0, 0.2, 0.25, SKIN)
    disc(0, 2.9, 0.95, 1.6, SHIRT)
    disc(0, 1.2, 0.25, 0.4, (120, 150, 195))
    disc(0, 0.45, 0.47, 0.55, HAIR)
    disc(0, 0.58, 0.4, 0.5, SKIN)
    for side in (-0.16, 0.16):
        disc(side, 0.5, 0.08, 0.04, (245, 245, 245))
        disc(side, 0.5, 0.04, 0.04, (30, 30, 40))
        disc(side, 0.4, 0.1, 0.025, HAIR)
    disc(0, 0.85, 0.15, 0.04, (80, 80, 170))
    disc(0, 0.15, 0.38, 0.15, HAIR)
    half = round(1.4 * unit)
    return x - half, top, x + half, top + height


def covered(detections: list[SensitiveDetection], kind: str, box: tuple[int, int, int, int]) -> float:
    """Return the share of the box that lies in findings of the kind."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    for detection in detections:
        if detection.kind == kind:
            x0, y0, x1, y1 = (round(v) for v in detection.box)
            mask[y0:y1, x0:x1] = True
    x0, y0, x1, y1 = box
    return float(mask[y0:y1, x0:x1].mean())


def test_empty_room_passes(inspector: EgressInspector) -> None:
    assert inspector.inspect(encode_environment(room(), everything())) == []


@pytest.mark.parametrize(("x", "top", "height"), [(320, 60, 360), (90, 250, 120), (560, 330, 50), (402, 270, 36)])
def test_person_is_found_at_every_size(inspector: EgressInspector, x: int, top: int, height: int) -> None:
    image = room()
    box = draw_person(image, x, top, height)
    detections = inspector.inspect(encode_environment(image, everything()))
    assert covered(detections, "person", box) > 0.8
    assert all(detection.confirmed_fraction == 1 and 0 < detection.score <= 1 for detection in detections)


def test_face_is_found_when_the_body_is_withheld(inspector: EgressInspector) -> None:
    image = room()
    x0, top, x1, bottom = draw_person(image, 320, 60, 400)
    confirmed = everything()
    confirmed[top + 62 : bottom, x0:x1] = False
    detections = inspector.inspect(encode_environment(image, confirmed))
    assert covered(detections, "face", (310, 80, 330, 105)) == 1


def test_upper_half_of_a_person_is_found(inspector: EgressInspector) -> None:
    image = room()
    x0, top, x1, bottom = draw_person(image, 200, 120, 300)
    confirmed = everything()
    confirmed[top + 150 : bottom, x0:x1] = False
    detections = inspector.inspect(encode_environment(image, confirmed))
    assert covered(detections, "person", (x0 + 10, top, x1 - 10, top + 150)) > 0.8
    assert any(detection.kind == "person" and 0 < detection.confirmed_fraction < 1 for detection in detections)


@pytest.mark.parametrize("turns", [1, 3])
def test_lying_person_is_found_in_the_turned_picture(turns: int) -> None:
    image = room()
    figure = np.full((360, 120, 3), (90, 110, 130), np.uint8)
    draw_person(figure, 60, 10, 340)
    x0, y0 = 140, 340
    image[y0 : y0 + 120, x0 : x0 + 360] = np.rot90(figure, turns)
    png = encode_environment(image, everything())
    lying = (x0 + 20, y0 + 20, x0 + 340, y0 + 100)
    upright_only = EgressInspector(InspectionSettings(turned_grids=()))
    assert covered(upright_only.inspect(png), "person", lying) < 0.5
    assert covered(EgressInspector().inspect(png), "person", lying) > 0.8


def test_person_that_is_withheld_is_not_found(inspector: EgressInspector) -> None:
    image = room()
    x0, top, x1, bottom = draw_person(image, 200, 120, 300)
    confirmed = everything()
    confirmed[top:bottom, x0:x1] = False
    assert inspector.inspect(encode_environment(image, confirmed)) == []


def test_findings_stay_inside_the_picture(inspector: EgressInspector) -> None:
    image = room()
    draw_person(image, 10, 200, 320)
    detections = inspector.inspect(encode_environment(image, everything()))
    assert detections
    for x0, y0, x1, y1 in (detection.box for detection in detections):
        assert 0 <= x0 < x1 <= WIDTH and 0 <= y0 < y1 <= HEIGHT


def test_picture_of_nothing_but_fill_passes(inspector: EgressInspector) -> None:
    fill = np.full((HEIGHT, WIDTH, 3), FILL, np.uint8)
    assert inspector.inspect(encode_environment(fill, np.zeros((HEIGHT, WIDTH), bool))) == []


def test_second_look_finds_the_same_as_a_first_one(inspector: EgressInspector) -> None:
    image = room()
    draw_person(image, 320, 60, 360)
    png = encode_environment(image, everything())
    inspector.inspect(encode_environment(room(), everything()))
    assert inspector.inspect(png) == inspector.inspect(png) == EgressInspector().inspect(png)


def test_bytes_that_are_no_environment_are_refused(inspector: EgressInspector) -> None:
    with pytest.raises(ValueError, match="PNG: does not start with the PNG signature"):
        inspector.inspect(b"GIF89a")
