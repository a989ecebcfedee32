"""The recognition attack finds a face that leaves, and none in a room without one. Faces are drawn, none is real."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from privcam_audit.attacks.face_descriptor import grid_windows, head_windows, touched
from privcam_audit.attacks.recognition_attack import RecognitionAttack
from privcam_core.types.omega import SubjectPose

Image = np.ndarray
Bgr = tuple[int, int, int]
HEIGHT, WIDTH = 140, 200
FACE_PX = 90
NOBODY: list[SubjectPose] = []
ANNA = {"skin": (140, 170, 215), "hair": (30, 40, 60)}
BERT = {"skin": (150, 180, 230), "hair": (150, 190, 220), "glasses": True}


def face(skin: Bgr, hair: Bgr, *, glasses: bool = False) -> Image:
    """Draw a face of 200×200 px that the face detector takes for one."""
    image = np.full((200, 200, 3), 200, np.uint8)
    dark = tuple(int(0.7 * v) for v in skin)
    cv2.ellipse(image, (100, 88), (58, 72), 0, 0, 360, hair, -1)
    cv2.rectangle(image, (78, 145), (122, 200), dark, -1)
    cv2.ellipse(image, (100, 105), (48, 64), 0, 0, 360, skin, -1)
    for side in (-1, 1):
        eye = (100 + 20 * side, 92)
        cv2.ellipse(image, eye, (14, 7) if glasses else (10, 5), 0, 0, 360, (245, 245, 245), -1)
        cv2.circle(image, eye, 7 if glasses else 5, (40, 30, 20), -1)
        cv2.ellipse(image, (eye[0], 78), (13, 4), 0, 180, 360, hair, 4)
        if glasses:
            cv2.circle(image, eye, 16, (20, 20, 20), 3)
    cv2.line(image, (100, 95), (94, 118), dark, 3)
    cv2.ellipse(image, (100, 120), (9, 5), 0, 0, 180, dark, 3)
    cv2.ellipse(image, (100, 138), (18, 7), 0, 0, 360, (80, 80, 180), -1)
    return cv2.GaussianBlur(image, (0, 0), 2)


def room(person: Image | None = None, at: tuple[int, int] = (20, 20)) -> Image:
    """Return a wall with a picture on it, and a face at row, column `at`."""
    image = np.full((HEIGHT, WIDTH, 3), 200, np.uint8)
    image[8:22, 170:190] = (90, 110, 130)
    if person is not None:
        small = cv2.resize(person, (FACE_PX, FACE_PX), interpolation=cv2.INTER_AREA)
        image[at[0] : at[0] + FACE_PX, at[1] : at[1] + FACE_PX] = small
    return image


@pytest.fixture
def attack() -> RecognitionAttack:
    return RecognitionAttack()


def observe(attack: RecognitionAttack, clip: str, person: dict, environment: Image, times: int) -> None:
    """Show a person who moves a little, with an environment that is also the anonymous frame."""
    for step in range(times):
        attack.observe(clip, room(face(**person), (20, 20 + 3 * step)), environment, environment, NOBODY)


def test_face_that_stays_inside_is_not_found_in_the_room_that_leaves(attack: RecognitionAttack, tmp_path: Path) -> None:
    observe(attack, "anna", ANNA, room(), times=3)
    observe(attack, "bert", BERT, room(), times=3)
    part = attack.part(tmp_path)
    found = part.values["recognition"]
    assert found["matches"] == 0 and found["comparisons"] > 0 and found["clips_with_a_face"] == 2
    assert found["raw_matches"] > 0  # the attack works on raw frames
    assert json.loads(json.dumps(part.values)) == part.values
    assert [path.name for path, _ in part.figures] == ["recognition.png"] and part.figures[0][0].is_file()


def test_face_that_leaves_is_found_and_strangers_are_not(attack: RecognitionAttack, tmp_path: Path) -> None:
    observe(attack, "anna", ANNA, room(face(**ANNA), (40, 80)), times=2)
    observe(attack, "bert", BERT, room(), times=2)
    found = attack.part(tmp_path).values["recognition"]
    assert found["matches"] > 0
    assert found["control_matches"] < found["matches"] / 2


def test_environment_that_did_not_change_is_searched_once(attack: RecognitionAttack, tmp_path: Path) -> None:
    observe(attack, "anna", ANNA, room(), times=1)
    once = attack.part(tmp_path).values["recognition"]["windows"]
    observe(attack, "anna", ANNA, room(), times=2)
    assert attack.part(tmp_path).values["recognition"]["windows"] == once > 0


def test_one_clip_has_no_strangers_and_the_text_says_so(attack: RecognitionAttack, tmp_path: Path) -> None:
    observe(attack, "anna", ANNA, room(), times=1)
    part = attack.part(tmp_path)
    assert part.values["recognition"]["control_matches"] is None
    assert "no faces of strangers" in part.text


def test_clip_without_a_clear_face_is_no_proof_of_anything(attack: RecognitionAttack, tmp_path: Path) -> None:
    attack.observe("empty", room(), room(), room(), NOBODY)
    part = attack.part(tmp_path)
    assert part.values["recognition"]["matches"] == part.values["recognition"]["comparisons"] == 0
    assert "could not be made" in part.text


def test_sliding_windows_leave_no_pixel_out() -> None:
    covered = np.zeros((HEIGHT, WIDTH), bool)
    for x, y, side in grid_windows(HEIGHT, WIDTH):
        assert side / 2 <= x <= WIDTH - side / 2 and side / 2 <= y <= HEIGHT - side / 2
        covered[int(y - side / 2) : int(y + side / 2) + 1, int(x - side / 2) : int(x + side / 2) + 1] = True
    assert covered[:-10, :-10].all()


def test_only_windows_with_something_new_are_searched() -> None:
    changed = np.zeros((HEIGHT, WIDTH), bool)
    changed[100, 100] = True
    assert touched([(100, 100, 20), (92, 108, 20), (130, 100, 20)], changed) == [(100, 100, 20), (92, 108, 20)]


def test_head_is_looked_for_at_its_keypoints_or_at_the_top_of_the_box() -> None:
    keypoints = np.zeros((17, 3), np.float32)
    top_windows = head_windows([SubjectPose(1, (0.0, 0.0, 40.0, 100.0), keypoints)])
    assert {(x, y) for x, y, _ in top_windows} == {(20.0, 10.0)}
    keypoints[0] = (70, 30, 0.9)
    assert {(x, y) for x, y, _ in head_windows([SubjectPose(1, (0.0, 0.0, 40.0, 100.0), keypoints)])} == {(70.0, 30.0)}
