"""The inversion attack succeeds where the numbers hold a picture, and only there."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from privcam_audit.attacks.inversion_attack import InversionAttack, _ssim
from privcam_core.images.environment import encode_environment, environment_of
from privcam_core.types.omega import Embedding, Omega, PrivacyReport, SubjectPose, SyncKey, Verdict

HEIGHT, WIDTH = 120, 160
GREY = encode_environment(np.zeros((HEIGHT, WIDTH, 3), np.uint8), np.zeros((HEIGHT, WIDTH), bool))
KEY = SyncKey("cam", 1, 10**18)
ENVIRONMENT = environment_of(KEY, GREY, 1)
REPORT = PrivacyReport(0.1, 1.0, 0.0, Verdict.PASS)
POSE = SubjectPose(1, (40.0, 10.0, 80.0, 110.0), np.tile(np.float32([60, 60, 0.9]), (17, 1)))


def omega(z: np.ndarray) -> Omega:
    data = np.clip(np.rint(z * 30), -127, 127).astype(np.int8)
    return Omega(KEY, ENVIRONMENT, [POSE], Embedding("test", data.shape, 1 / 30, data.tobytes(), 0.0, 10.0), REPORT)


def attack(rng: np.random.Generator, *, leaks: bool, clips: int = 4, frames: int = 30) -> InversionAttack:
    """Persons are blotches of 6 random tones. The z that leaves is made of these tones, or of nothing."""
    made = InversionAttack()
    for clip in range(clips):
        for _ in range(frames):
            tones = rng.normal(size=6)
            blotches = np.clip(128 + 40 * tones.reshape(3, 2), 0, 255).astype(np.uint8)
            raw = np.full((HEIGHT, WIDTH, 3), 90, np.uint8)
            raw[10:110, 40:80] = cv2.resize(blotches, (40, 100), interpolation=cv2.INTER_LINEAR)[..., None]
            made.observe(f"clip{clip}", raw, omega(tones if leaks else rng.normal(size=6)), [POSE])
    return made


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(3)


def test_decoder_rebuilds_persons_from_numbers_that_hold_them(tmp_path: Path, rng: np.random.Generator) -> None:
    part = attack(rng, leaks=True).part(tmp_path)
    found = part.values["inversion"]
    assert found["psnr_db"] > found["mean_picture_psnr_db"] + 6
    assert found["z_psnr_db"] > found["mean_picture_psnr_db"] + 6
    assert found["improvement_db_interval"] is None  # two clips to test on say nothing about other clips
    assert found["ssim"] > found["mean_picture_ssim"]
    assert (found["train_crops"], found["test_crops"]) == (60, 60)
    assert json.loads(json.dumps(part.values)) == part.values
    assert [path.name for path, _ in part.figures] == ["inversion.png"] and part.figures[0][0].is_file()


def test_decoder_gains_nothing_from_numbers_that_hold_nothing(tmp_path: Path, rng: np.random.Generator) -> None:
    found = attack(rng, leaks=False).part(tmp_path).values["inversion"]
    assert found["psnr_db"] < found["mean_picture_psnr_db"] + 0.3
    assert found["z_psnr_db"] < found["mean_picture_psnr_db"] + 0.3


def test_improvement_comes_with_an_interval_over_clips_when_there_are_enough(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    low, high = (
        attack(rng, leaks=True, clips=6, frames=12).part(tmp_path).values["inversion"]["improvement_db_interval"]
    )
    assert 3 < low <= high


def test_one_clip_is_parted_in_time_and_the_text_says_so(tmp_path: Path, rng: np.random.Generator) -> None:
    part = attack(rng, leaks=True, clips=1, frames=90).part(tmp_path)
    found = part.values["inversion"]
    assert (found["train_crops"], found["test_crops"]) == (40, 41)
    assert "first and second half of the one clip" in part.text and "same persons in the same room" in part.text


def test_too_few_persons_are_refused_with_their_number(tmp_path: Path, rng: np.random.Generator) -> None:
    with pytest.raises(ValueError, match="10 persons to train on and 10 to test on"):
        attack(rng, leaks=True, clips=2, frames=10).part(tmp_path)


def test_persons_that_did_not_leave_are_not_trained_on(tmp_path: Path) -> None:
    made = InversionAttack()
    stranger = SubjectPose(2, POSE.box, POSE.keypoints)
    made.observe("clip", np.zeros((HEIGHT, WIDTH, 3), np.uint8), omega(np.zeros(6)), [stranger])
    with pytest.raises(ValueError, match="0 persons to train on and 0 to test on"):
        made.part(tmp_path)


def test_likeness_of_structure_is_one_for_the_same_picture_and_less_for_a_flat_one(rng: np.random.Generator) -> None:
    picture = rng.random((64, 32, 3))
    assert _ssim(picture, picture) == pytest.approx(1.0)
    assert _ssim(picture, np.full_like(picture, picture.mean())) < 0.2
