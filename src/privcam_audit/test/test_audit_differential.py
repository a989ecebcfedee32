"""The differential leak test, and the fidelity of the environment: on edges that are known to leak, or not to."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from privcam_audit.leakage.baselines import blur, pixelate
from privcam_audit.leakage.counterfactual import invert_labelled
from privcam_audit.leakage.differential import differential, measure_baseline, measure_leak
from privcam_audit.leakage.fidelity import fidelity
from privcam_audit.leakage.person_labels import Labels
from privcam_audit.leakage.true_background import background
from privcam_audit.perception_recording import START_NS, FramePerception, Recording
from privcam_core.images.environment import FILL, encode_environment, environment_of
from privcam_core.types.omega import PrivacyReport, SubjectPose, SyncKey, Verdict
from privcam_core.types.perception import Detections
from privcam_privacy.background.engine_settings import EngineSettings
from privcam_privacy.eraser import Eraser

SHAPE = (96, 128)
FRAMES, RATE_HZ = 60, 5.0
EMPTY = 40  # frames before somebody comes
NOBODY = Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32))


def room() -> np.ndarray:
    coarse = np.random.default_rng(5).integers(60, 190, (12, 16, 3)).astype(np.uint8)
    return np.kron(coarse, np.ones((8, 8, 1), np.uint8))


def box_at(number: int) -> tuple[int, int, int, int]:
    x = 20 + 2 * (number - EMPTY)
    return x, 20, x + 24, 80


def scene() -> tuple[Recording, Labels]:
    """A noisy camera on a room that is empty first; then somebody in a colourful shirt walks through, and is found."""
    random = np.random.default_rng(9)
    shirt = random.integers(0, 256, (60, 24, 3))
    pictures, found, boxes = [], [], []
    for number in range(FRAMES):
        picture = room().astype(float)
        here = []
        if number >= EMPTY:
            x0, y0, x1, y1 = box_at(number)
            picture[y0:y1, x0:x1] = shirt
            here = [box_at(number)]
        noisy = picture + random.normal(0, 1.5, picture.shape)
        pictures.append(np.clip(noisy, 0, 255).astype(np.uint8))
        rows = np.array(here, np.float32).reshape(-1, 4)
        detections = Detections(rows, np.full(len(rows), 0.9, np.float32))
        found.append(FramePerception(SyncKey("audit", number + 1, START_NS + number * 2 * 10**8), detections, [], []))
        boxes.append(rows)
    return Recording("walk", "walk", SHAPE, RATE_HZ, found, lambda: iter(pictures)), Labels(boxes)


class Edge:
    """An edge that sends what `show` makes of the frame's number and picture: a picture and its validity."""

    def __init__(self, show):
        self._show = show
        self._number = 0

    def __call__(self, key, image, _detections, _tracks, poses):
        picture, confirmed_mask = self._show(self._number, image)
        self._number += 1
        png = encode_environment(picture, confirmed_mask)
        environment = environment_of(key, png, self._number)
        return environment, PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS), poses


ALL = np.ones(SHAPE, np.bool_)


def leak(show):
    recording, labels = scene()
    return measure_leak(recording, labels, Edge(show), Edge(show))


def test_twin_differs_by_128_in_every_labelled_value_and_nowhere_else() -> None:
    image = np.random.default_rng(1).integers(0, 256, (*SHAPE, 3)).astype(np.uint8)
    where = np.zeros(SHAPE, np.bool_)
    where[10:40, 20:50] = True
    other = invert_labelled(image, where)
    assert (np.abs(other.astype(int) - image)[where] == 128).all()
    assert np.array_equal(other[~where], image[~where])
    assert np.array_equal(invert_labelled(other, where), image)


def test_edge_that_sends_the_frame_leaks_every_labelled_pixel() -> None:
    result = leak(lambda _number, image: (image, ALL))
    assert result.fraction == 1.0
    assert result.values()["first_frame"] == EMPTY
    assert result.values()["colour_levels"] == 128
    assert result.values()["inside_labels"] == 1.0
    assert not result.where[:, :15].any()


def test_edge_that_sends_a_grey_picture_leaks_nothing() -> None:
    result = leak(lambda _number, image: (np.full_like(image, FILL), ~ALL))
    assert result.fraction == 0.0
    assert result.values()["confirmed_fraction"] == 0.0


def test_one_leaked_frame_is_found_and_named() -> None:
    result = leak(lambda number, image: (image if number == EMPTY + 5 else room(), ALL))
    assert result.values()["leaking_frames"] == 1
    assert result.values()["worst_frame"] == EMPTY + 5
    assert result.leaked[EMPTY + 5] == result.labelled[EMPTY + 5] > 0


def test_ghost_that_stays_after_the_person_left_is_counted_in_every_frame() -> None:
    def keeping():
        kept = []

        def show(number, image):
            if number == EMPTY + 3:
                kept.append(image)
            return (kept[0] if kept else room()), ALL

        return show

    recording, labels = scene()
    result = measure_leak(recording, labels, Edge(keeping()), Edge(keeping()))
    assert result.values()["leaking_frames"] == FRAMES - EMPTY - 3
    assert result.values()["inside_labels"] < 1.0


def test_shape_alone_is_counted_but_told_from_colour() -> None:
    def show(_number, image):
        confirmed_mask = ALL.copy()
        confirmed_mask[:2, :2] = image[50, 60, 0] < 128
        return room(), confirmed_mask

    values = leak(show).values()
    assert values["leaked_pixels"] > 0
    assert values["exposed_fraction"] == 0.0


def test_person_who_is_shown_in_one_run_only_is_exposed_and_the_room_around_is_not() -> None:
    recording, labels = scene()
    result = measure_leak(
        recording, labels, Edge(lambda _n, image: (image, ALL)), Edge(lambda _n, image: (image, ~ALL))
    )
    people = (FRAMES - EMPTY) * 24 * 60
    assert sum(result.leaked) == FRAMES * ALL.size
    assert 0.8 * people < result.exposed <= people


def test_difference_within_the_tolerance_is_no_leak() -> None:
    result = leak(lambda _number, image: (room() + (image[50, 60, 0] // 32).astype(np.uint8), ALL))
    assert result.fraction == 0.0


def test_runs_with_other_noise_on_their_poses_are_refused() -> None:
    recording, labels = scene()
    keypoints = np.random.default_rng(2).random((17, 3)).astype(np.float32)
    pose = SubjectPose(1, (5.0, 5.0, 20.0, 60.0), keypoints)

    def noisy(*frame):
        environment, report, _ = Edge(lambda _number, _image: (room(), ALL))(*frame)
        noise = np.random.default_rng().random((17, 3)).astype(np.float32)
        return environment, report, [replace(pose, keypoints=noise)]

    with pytest.raises(ValueError, match="the same seed"):
        measure_leak(recording, labels, noisy, noisy)


@pytest.mark.parametrize("obscure", [blur, pixelate])
def test_usual_practice_leaks_most_of_what_is_labelled(obscure) -> None:
    recording, labels = scene()
    result = measure_baseline(recording, labels, obscure)
    assert result.fraction is not None and result.fraction > 0.5


def test_engine_shows_the_room_and_leaks_nothing_of_somebody_who_is_found(tmp_path: Path) -> None:
    clip = scene()

    def make_eraser(mode, _recording, _labels, _run):
        return Eraser(mode, EngineSettings(evidence="transit")).erase

    part = differential([clip], make_eraser, ["adaptive", "mask_only"], tmp_path)
    found = part.values["leak"]
    assert found["clips"]["walk"]["adaptive"]["confirmed_fraction"] > 0.2
    assert found["adaptive"] == 0.0
    # Nobody had a pose, so nothing was masked: the equation taken literally shows everybody.
    assert found["mask_only"] == 1.0
    assert found["labelled_pixels"] == sum(clip[1].mask(n, SHAPE).sum() for n in range(FRAMES))
    assert "| walk |" in part.text
    assert all(path.stat().st_size > 0 for path, _ in part.figures)


def test_true_background_is_that_without_the_people() -> None:
    recording, labels = scene()
    truth, known = background(recording, labels)
    assert known.all()
    assert np.abs(truth.astype(int) - room()).max() <= 3


def test_fidelity_tells_a_true_environment_from_one_that_is_wrong(tmp_path: Path) -> None:
    clip = scene()

    def darker(_number, _image):
        return room() - np.uint8(10), ALL

    def late(number, _image):
        return room(), ALL if number >= 15 else ~ALL

    true = fidelity([clip], lambda: Edge(late), tmp_path).values["environment"]
    wrong = fidelity([clip], lambda: Edge(darker), tmp_path).values["environment"]
    assert true["psnr_db"] > 45
    assert wrong["psnr_db"] == pytest.approx(20 * np.log10(255 / 10), abs=0.5)
    assert true["confirmed_s"] == pytest.approx(15 / RATE_HZ)
    assert 40 < true["clips"]["walk"]["raw_frame_psnr_db"] < 46


def test_room_that_is_never_confirmed_has_no_time(tmp_path: Path) -> None:
    clip = scene()
    half = ALL.copy()
    half[:, 64:] = False
    values = fidelity([clip], lambda: Edge(lambda _number, _image: (room(), half)), tmp_path).values["environment"]
    assert values["confirmed_s"] is None
    assert values["clips"]["walk"]["confirmed_s"] is None
    assert values["clips"]["walk"]["best_fraction"] == 0.5
