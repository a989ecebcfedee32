"""The vector z: what it depends on, how large it is, and that it is never sent as it is."""

import json
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from privcam_core.models.errors import ModelError
from privcam_edge.embedding.encoder import INT8_MAX, WEIGHTS, InformationBottleneckEncoder, NoisyQuantizer

MOST_BYTES = 64
MOST_WEIGHTS = 1_000_000
# Large enough for any machine that tests; the bar of 3 ms is for a core that does nothing else.
SLOWEST_S = 0.015


def scene(*places: int) -> np.ndarray:
    """An anonymous frame: a flat room with one figure at each x."""
    image = np.full((240, 320, 3), 128, np.uint8)
    for x in places:
        cv2.ellipse(image, (x, 120), (21, 66), 0, 0, 360, (28, 32, 38), -1)
        cv2.ellipse(image, (x, 120), (18, 63), 0, 0, 360, (219, 203, 84), -1)
        cv2.circle(image, (x, 50), 14, (219, 203, 84), -1)
    return image


def test_z_is_at_most_64_bytes_with_what_is_needed_to_read_them() -> None:
    embedding = InformationBottleneckEncoder(sigma=0.5)(scene(40))
    assert len(embedding.data) == embedding.shape[0] <= MOST_BYTES
    assert embedding.noise_sigma == 0.5
    assert embedding.values().dtype == np.float32
    # Beyond the clip norm there is nothing but noise and rounding.
    extra = 2 * np.sqrt(embedding.shape[0]) * (embedding.noise_sigma + embedding.scale)
    assert np.linalg.norm(embedding.values()) < embedding.clip_norm + extra


def test_two_vectors_of_one_frame_differ_by_the_noise_that_is_stated_and_by_that_of_the_encoder() -> None:
    encode = InformationBottleneckEncoder(sigma=0.3)
    values = np.array([encode(scene(40)).values() for _ in range(80)])
    spread = encode.distribution(scene(40))[1]
    rounding = encode(scene(40)).scale ** 2 / 12
    expected = np.sqrt((spread**2 + 0.3**2 + rounding).mean())
    assert values.std(axis=0, ddof=1).min() > 0
    assert np.sqrt(values.var(axis=0, ddof=1).mean()) == pytest.approx(expected, rel=0.15)


def test_noise_cannot_be_repeated_without_a_seed() -> None:
    assert InformationBottleneckEncoder()(scene(40)).data != InformationBottleneckEncoder()(scene(40)).data
    once, again = (InformationBottleneckEncoder(seed=1)(scene(40)).data for _ in range(2))
    assert once == again


def test_z_depends_on_the_anonymous_frame_and_on_nothing_that_came_before() -> None:
    fresh, used = InformationBottleneckEncoder(), InformationBottleneckEncoder()
    for x in range(20, 300, 40):
        used(scene(x))
    np.testing.assert_array_equal(used.distribution(scene(100)), fresh.distribution(scene(100)))


@pytest.mark.parametrize("other", [(250,), (), (40, 250)])
def test_frames_with_other_people_in_other_places_are_told_apart_in_spite_of_the_noise(other: tuple[int, ...]) -> None:
    encode = InformationBottleneckEncoder(seed=3)
    here, there = (np.array([encode(scene(*p)).values() for _ in range(20)]) for p in ((40,), other))
    apart = np.linalg.norm(here.mean(axis=0) - there.mean(axis=0))
    noise = np.sqrt(here.var(axis=0).mean())
    assert apart > 3 * noise


def test_encoder_takes_little_time_and_space() -> None:
    encode = InformationBottleneckEncoder()
    encode(scene(40))
    seconds = []
    for _ in range(20):
        started = time.perf_counter()
        encode(scene(40))
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < SLOWEST_S
    known = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    assert (WEIGHTS.parent / known["file"]).stat().st_size < MOST_WEIGHTS


def test_encoder_needs_no_torch() -> None:
    code = (
        "import sys; import privcam_edge.embedding.encoder as e; e.InformationBottleneckEncoder(); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "torch" not in done.stdout.split()


def test_changed_weights_are_refused(tmp_path: Path) -> None:
    known = json.loads(WEIGHTS.read_text(encoding="utf-8"))
    (tmp_path / known["file"]).write_bytes((WEIGHTS.parent / known["file"]).read_bytes() + b"\0")
    changed = tmp_path / WEIGHTS.name
    changed.write_text(json.dumps(known), encoding="utf-8")
    with pytest.raises(ModelError, match="SHA-256"):
        InformationBottleneckEncoder(weights=changed)


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
        InformationBottleneckEncoder()(np.zeros(shape, np.uint8))
