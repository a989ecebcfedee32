"""The vector z: what it depends on, and that it is never sent as it is."""

import cv2
import numpy as np
import pytest

from privcam_edge.embedding.encoder import INT8_MAX, HogEncoder, NoisyQuantizer


def scene(x: int = 40) -> np.ndarray:
    """An anonymous frame: a flat room with one figure at x."""
    image = np.full((240, 320, 3), 150, np.uint8)
    cv2.line(image, (0, 180), (319, 170), (90, 90, 90), 3)
    cv2.ellipse(image, (x, 120), (15, 60), 0, 0, 360, (200, 80, 40), -1)
    return image


def test_z_is_128_small_numbers_with_what_is_needed_to_read_them() -> None:
    embedding = HogEncoder(sigma=0.02)(scene())
    assert (embedding.shape, len(embedding.data)) == ((128,), 128)
    assert embedding.noise_sigma == 0.02
    assert embedding.clip_norm == 1.0
    assert embedding.values().dtype == np.float32
    assert np.linalg.norm(embedding.values()) < 2.0


def test_two_vectors_of_one_frame_differ_by_the_noise_that_is_stated() -> None:
    encode = HogEncoder(sigma=0.05)
    values = np.array([encode(scene()).values() for _ in range(60)])
    spread = values.std(axis=0, ddof=1)
    assert spread.min() > 0
    assert np.sqrt((spread**2).mean()) == pytest.approx(0.05, rel=0.1)


def test_noise_cannot_be_repeated_without_a_seed() -> None:
    assert HogEncoder()(scene()).data != HogEncoder()(scene()).data
    assert HogEncoder(seed=1)(scene()).data == HogEncoder(seed=1)(scene()).data


def test_z_depends_on_the_anonymous_frame_and_on_nothing_that_came_before() -> None:
    fresh, used = HogEncoder(sigma=0.0), HogEncoder(sigma=0.0)
    for x in range(20, 300, 40):
        used(scene(x))
    assert used(scene(100)).data == fresh(scene(100)).data


def test_frames_that_look_different_are_told_apart() -> None:
    encode = HogEncoder(sigma=0.0)
    here, there = encode(scene(40)).values(), encode(scene(250)).values()
    assert np.linalg.norm(here - there) > 0.1


def test_vector_longer_than_the_clip_norm_is_shortened_before_the_noise() -> None:
    quantize = NoisyQuantizer(64, clip_norm=1.0, sigma=0.0)
    direction = np.random.default_rng(1).normal(size=64).astype(np.float32)
    long = np.frombuffer(quantize(100 * direction), np.int8) * quantize.scale
    assert np.linalg.norm(long) == pytest.approx(1.0, abs=0.05)
    # How long it was cannot be read from what is sent.
    assert quantize(100 * direction) == quantize(1000 * direction)
    short = direction / (2 * np.linalg.norm(direction))
    assert np.linalg.norm(np.frombuffer(quantize(short), np.int8) * quantize.scale) == pytest.approx(0.5, abs=0.05)


def test_values_out_of_range_saturate_and_do_not_wrap_round() -> None:
    quantize = NoisyQuantizer(64, clip_norm=1.0, sigma=0.0)
    one_sided = np.zeros(64, np.float32)
    one_sided[[0, 1]] = 5.0, -5.0
    sent = np.frombuffer(quantize(one_sided), np.int8)
    assert (sent[0], sent[1]) == (INT8_MAX, -INT8_MAX)
    assert not sent[2:].any()


def test_empty_vector_is_sent_as_noise_alone() -> None:
    sent = np.frombuffer(NoisyQuantizer(64, 1.0, 0.1)(np.zeros(64, np.float32)), np.int8)
    assert sent.any()


@pytest.mark.parametrize("shape", [(0, 4, 3), (4, 4), (4, 4, 4)])
def test_frame_of_the_wrong_kind_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="anonymous frame"):
        HogEncoder()(np.zeros(shape, np.uint8))
