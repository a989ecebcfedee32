"""The vector z depends on the anonymous frame alone, encodes number and places of subjects, and carries noise."""

import json
from pathlib import Path

import numpy as np
import pytest

from privcam_core.drawing.proxy import overlay
from privcam_core.images.environment import FILL
from privcam_core.models.network_description import WrongWeights
from privcam_core.types.omega import SubjectPose
from privcam_edge.embedding.bottleneck_weights import WEIGHTS
from privcam_edge.embedding.encoder import BottleneckEncoder
from privcam_edge.embedding.quantizer import INT8_MAX, NoisyQuantizer

# COCO-17 of a standing subject, in fractions of the box.
STANDING = np.array(
    [(0.5, 0.08), (0.53, 0.06), (0.47, 0.06), (0.57, 0.07), (0.43, 0.07), (0.7, 0.2), (0.3, 0.2), (0.78, 0.36),
     (0.22, 0.36), (0.8, 0.5), (0.2, 0.5), (0.6, 0.52), (0.4, 0.52), (0.6, 0.74), (0.4, 0.74), (0.6, 0.96), (0.4, 0.96)]
)  # fmt: skip


def scene(*places: int) -> np.ndarray:
    """Return an anonymous frame: an unknown environment with a standing subject at each x."""
    poses = []
    for number, x in enumerate(places, start=1):
        box = (float(x - 25), 60.0, float(x + 25), 210.0)
        points = np.array(box[:2]) + STANDING * (50.0, 150.0)
        keypoints = np.concatenate([points, np.full((17, 1), 0.9)], axis=1).astype(np.float32)
        poses.append(SubjectPose(number, box, keypoints, layer=number))
    return overlay(np.full((240, 320, 3), FILL, np.uint8), poses)


def means(image: np.ndarray, count: int = 60) -> np.ndarray:
    """Return the mean of many z of one frame, without most of the noise."""
    encoder = BottleneckEncoder(seed=1)
    return np.mean([encoder.encode(image).values() for _ in range(count)], axis=0)


def test_z_is_few_small_numbers_with_what_is_needed_to_read_them() -> None:
    embedding = BottleneckEncoder().encode(scene(100))
    assert len(embedding.data) == embedding.shape[0] <= 64
    assert embedding.encoder_id == json.loads(WEIGHTS.read_text())["encoder_id"]
    assert embedding.noise_sigma == json.loads(WEIGHTS.read_text())["sigma"]
    assert embedding.values().dtype == np.float32


def test_two_vectors_of_one_frame_differ_by_at_least_the_noise_that_is_stated() -> None:
    encoder = BottleneckEncoder(sigma=0.5)
    values = np.array([encoder.encode(scene(100)).values() for _ in range(60)])
    assert np.sqrt((values.std(axis=0, ddof=1) ** 2).mean()) > 0.5


def test_noise_is_not_repeatable_without_a_seed() -> None:
    assert BottleneckEncoder().encode(scene(40)).data != BottleneckEncoder().encode(scene(40)).data
    assert BottleneckEncoder(seed=1).encode(scene(40)).data == BottleneckEncoder(seed=1).encode(scene(40)).data


def test_z_depends_on_the_anonymous_frame_and_not_on_earlier_frames() -> None:
    assert np.allclose(means(scene(100)), means(scene(100)))
    fresh, used = BottleneckEncoder(seed=1), BottleneckEncoder(seed=1)
    for x in range(40, 300, 40):
        used.encode(scene(x))
        fresh.encode(scene(160))
    assert used.encode(scene(100)).data == fresh.encode(scene(100)).data


def test_number_and_places_of_subjects_change_z_much_more_than_the_background() -> None:
    furnished = scene()
    furnished[150:, :] = (90, 110, 120)
    empty, other_background = means(scene()), means(furnished)
    one, elsewhere, two = means(scene(60)), means(scene(260)), means(scene(60, 260))
    by_background = np.linalg.norm(empty - other_background)
    for a, b in ((empty, one), (one, elsewhere), (one, two), (empty, two)):
        assert np.linalg.norm(a - b) > 3 * by_background


def test_changed_weights_are_rejected(tmp_path: Path) -> None:
    for file in WEIGHTS.parent.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    described = tmp_path / WEIGHTS.name
    network = tmp_path / json.loads(described.read_text())["file"]
    BottleneckEncoder(weights=described).encode(scene(100))
    network.write_bytes(network.read_bytes() + b" ")
    with pytest.raises(WrongWeights, match=network.name):
        BottleneckEncoder(weights=described)
    network.unlink()
    with pytest.raises(WrongWeights, match=network.name):
        BottleneckEncoder(weights=described)
    described.write_text("{}")
    with pytest.raises(WrongWeights, match="privcam train"):
        BottleneckEncoder(weights=described)


@pytest.mark.parametrize("shape", [(0, 4, 3), (4, 4), (4, 4, 4)])
def test_picture_of_another_kind_is_rejected(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="anonymous frame"):
        BottleneckEncoder().encode(np.zeros(shape, np.uint8))


def test_vector_longer_than_the_clip_norm_is_shortened_before_the_noise() -> None:
    quantizer = NoisyQuantizer(64, clip_norm=1.0, sigma=0.0)
    direction = np.random.default_rng(1).normal(size=64).astype(np.float32)
    long = np.frombuffer(quantizer.quantize(100 * direction), np.int8) * quantizer.scale
    assert np.linalg.norm(long) == pytest.approx(1.0, abs=0.05)
    # How long it was cannot be read from what is sent.
    assert quantizer.quantize(100 * direction) == quantizer.quantize(1000 * direction)
    short = direction / (2 * np.linalg.norm(direction))
    assert np.linalg.norm(np.frombuffer(quantizer.quantize(short), np.int8) * quantizer.scale) == pytest.approx(
        0.5, abs=0.05
    )


def test_values_out_of_range_saturate_and_do_not_wrap() -> None:
    quantizer = NoisyQuantizer(64, clip_norm=1.0, sigma=0.0)
    one_sided = np.zeros(64, np.float32)
    one_sided[[0, 1]] = 5.0, -5.0
    sent = np.frombuffer(quantizer.quantize(one_sided), np.int8)
    assert (sent[0], sent[1]) == (INT8_MAX, -INT8_MAX)
    assert not sent[2:].any()


def test_empty_vector_is_sent_as_noise_alone() -> None:
    sent = np.frombuffer(NoisyQuantizer(64, 1.0, 0.1).quantize(np.zeros(64, np.float32)), np.int8)
    assert sent.any()
