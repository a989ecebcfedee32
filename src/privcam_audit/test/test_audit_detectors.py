"""The detector attack: what it counts, where, and that it does not count what the edge drew as a leak."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from privcam_audit.attacks import detector_attack
from privcam_audit.attacks.detector_attack import DetectorAttack
from privcam_core.detection.inspection import InspectionSettings
from privcam_core.images.environment import FILL

HAIR, SKIN, SHIRT, JEANS = (40, 50, 70), (150, 180, 225), (60, 60, 160), (110, 70, 40)


def room() -> np.ndarray:
    image = np.full((240, 320, 3), (150, 160, 165), np.uint8)
    image[150:] = (90, 110, 130)
    return image


def with_person(image: np.ndarray, x: int = 160, top: int = 20, height: int = 200) -> np.ndarray:
    """Return a copy with a drawn person, its middle at x."""
    image, unit = image.copy(), height / 8

    def disc(dx: float, dy: float, width: float, tall: float, colour: tuple[int, int, int], turn: float = 0) -> None:
        axes = (max(1, round(width * unit)), max(1, round(tall * unit)))
        cv2.ellipse(image, (round(x + dx * unit), round(top + dy * unit)), axes, turn, 0, 360, colour, -1, cv2.LINE_AA)

    for side in (-1, 1):
        disc(side * 0.45, 5.6, 0.38, 1.9, JEANS)
        disc(side * 1.05, 2.7, 0.28, 1.3, SHIRT, -side * 8)
    disc(0, 2.9, 0.95, 1.6, SHIRT)
    disc(0, 1.2, 0.25, 0.4, SKIN)
    disc(0, 0.45, 0.47, 0.55, HAIR)
    disc(0, 0.58, 0.4, 0.5, SKIN)
    for side in (-0.16, 0.16):
        disc(side, 0.5, 0.08, 0.04, (245, 245, 245))
        disc(side, 0.5, 0.04, 0.04, (30, 30, 40))
        disc(side, 0.4, 0.1, 0.025, HAIR)
    disc(0, 0.85, 0.15, 0.04, (80, 80, 170))
    disc(0, 0.15, 0.38, 0.15, HAIR)
    return image


def withheld(image: np.ndarray) -> np.ndarray:
    hidden = image.copy()
    hidden[10:230, 110:210] = FILL
    return hidden


def test_person_and_face_of_the_raw_frame_are_counted_and_what_is_withheld_is_not(tmp_path: Path) -> None:
    attack = DetectorAttack()
    for _ in range(4):
        attack.observe(with_person(room()), withheld(room()), withheld(room()))
    values = attack.part(tmp_path).values["detector"]
    assert values["frames"] == 4 and values["environments"] == 1
    assert values["persons"]["raw"] >= 1000 and values["faces"]["raw"] >= 1000
    assert values["persons"]["environment"] == values["faces"]["environment"] == values["faces"]["anonymous"] == 0


def test_person_in_the_environment_counts_in_every_frame_and_is_cut_out_once(tmp_path: Path) -> None:
    attack = DetectorAttack()
    leaking = with_person(room())
    for _ in range(5):
        attack.observe(leaking, leaking, leaking, clip="hall")
    part = attack.part(tmp_path)
    values = part.values["detector"]
    for kind in ("persons", "faces"):
        assert values[kind]["environment"] == values[kind]["raw"] >= 1000
    cuts = [(path, caption) for path, caption in part.figures if "environment of hall" in caption]
    assert any(caption.startswith("NanoDet") for _, caption in cuts)
    assert len(cuts) < 10 and all(cv2.imread(str(path)) is not None for path, _ in cuts)


def test_face_of_a_proxy_is_counted_apart(tmp_path: Path) -> None:
    attack = DetectorAttack()
    attack.observe(room(), room(), with_person(room()))
    faces = attack.part(tmp_path).values["detector"]["faces"]
    assert faces["proxies"] >= 1000 and faces["anonymous"] == 0


def test_face_beside_a_proxy_is_counted_as_what_it_is(tmp_path: Path) -> None:
    attack = DetectorAttack()
    environment = with_person(room(), x=60)
    anonymous = environment.copy()
    anonymous[:, 200:] = 30
    attack.observe(room(), environment, anonymous)
    faces = attack.part(tmp_path).values["detector"]["faces"]
    assert faces["anonymous"] >= 1000 and faces["proxies"] == 0


def test_findings_in_frames_without_people_are_shown_as_false_alarms(tmp_path: Path) -> None:
    attack = DetectorAttack()
    attack.observe(room(), room(), room(), empty=True)
    attack.observe(with_person(room()), room(), room())
    attack.observe(with_person(room()), room(), room(), empty=True)  # a figure that is part of the room
    part = attack.part(tmp_path)
    values = part.values["detector"]
    assert values["empty_frames"] == 2
    assert (
        500 <= values["persons"]["empty"] <= values["persons"]["raw"]
        and "2 raw frames that are known to show nobody" in part.text
    )


def test_report_has_a_row_for_every_detector_and_plain_numbers(tmp_path: Path) -> None:
    attack = DetectorAttack()
    attack.observe(room(), room(), room())
    part = attack.part(tmp_path)
    for name in ("faces", "persons", "BlazeFace short range", "BlazeFace full range", "Haar frontal", "Haar profile"):
        assert name in part.text
    assert json.loads(json.dumps(part.values)) == part.values
    assert "Nothing was found in any environment" in part.text
    assert [path.name for path, _ in part.figures] == ["detectors.png"] and (tmp_path / "detectors.png").is_file()


def test_attack_without_frames_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no frame was observed"):
        DetectorAttack().part(tmp_path)


def test_inspection_of_the_edge_is_at_least_as_sensitive() -> None:
    edge = InspectionSettings()
    assert edge.person_score <= detector_attack._PERSON_SCORE and edge.tile_score <= detector_attack._PERSON_TILE_SCORE
    assert edge.face_score <= detector_attack._FACE_SCORE
    assert detector_attack._TILES_PER_SIDE in edge.person_grids and detector_attack._TILES_PER_SIDE in edge.face_grids
