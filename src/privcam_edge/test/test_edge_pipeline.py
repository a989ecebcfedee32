"""EdgePipeline turns every frame into an Ω, with or without a person in it."""

import numpy as np
import pytest

from privcam_core.images.environment import FILL, decode_environment
from privcam_core.types.omega import Omega, SyncKey
from privcam_edge.edge_pipeline import EdgePipeline
from privcam_edge.embedding.bottleneck_weights import blank_embedding
from privcam_edge.embedding.encoder import BottleneckEncoder
from privcam_edge.link.gate import Gate
from privcam_link import cdr
from privcam_privacy.background.engine_settings import EngineSettings

HEIGHT, WIDTH = 240, 320
PERIOD_NS = 200_000_000
START_NS = 1_700_000_000 * 10**9
TRANSIT = EngineSettings(evidence="transit")
Seen = tuple[EdgePipeline, list[Omega], Gate]
STAGES = ["detector", "tracker", "pose", "eraser", "composer", "embedder"]


def empty_scene(seed: int = 1) -> np.ndarray:
    """Return an empty scene: a pattern of squares in which no person is detected."""
    coarse = np.random.default_rng(seed).integers(60, 190, (HEIGHT // 16, WIDTH // 16, 3)).astype(np.uint8)
    return np.kron(coarse, np.ones((16, 16, 1), np.uint8))


def key(number: int) -> SyncKey:
    return SyncKey("room", number + 1, START_NS + number * PERIOD_NS)


def run(pipeline: EdgePipeline, frames: int, gate: Gate | None = None) -> list[Omega]:
    """Return the Ω of the first frames. gate: is offered each with its seals, and has to let it pass."""
    image, random = empty_scene(), np.random.default_rng(2)
    # Without noise the camera counts as frozen.
    noisy = (np.clip(image + random.normal(0, 1.5, image.shape), 0, 255).astype(np.uint8) for _ in range(frames))
    omegas = []
    for number, frame in enumerate(noisy):
        omega, seals = pipeline.process_sealed(key(number), frame)
        omegas.append(omega)
        if gate is not None:
            gate.check(cdr.encode(omega), seals)
    return omegas


@pytest.fixture(scope="module")
def seen() -> Seen:
    pipeline = EdgePipeline(settings=TRANSIT, encoder=BottleneckEncoder(seed=1))
    encoder = blank_embedding(pipeline.encoder.weights.sigma)
    gate = Gate("room", pipeline.seal_keys, encoder, max_rate_hz=240.0)
    return pipeline, run(pipeline, 60, gate), gate


def test_every_frame_becomes_an_omega_of_its_own_key(seen: Seen) -> None:
    omegas = seen[1]
    assert [omega.key for omega in omegas] == [key(number) for number in range(60)]


def test_first_frame_publishes_no_pixel_of_the_background(seen: Seen) -> None:
    plate, confirmed_mask = decode_environment(seen[1][0].environment.png)
    assert not confirmed_mask.any()
    assert (plate == FILL).all()
    assert seen[1][0].privacy.withheld_fraction == 1.0


def test_empty_scene_is_published_after_enough_observation(
    seen: Seen,
) -> None:
    newest = [omega.environment for omega in seen[1] if omega.environment.png][-1]
    plate, confirmed_mask = decode_environment(newest.png)
    assert confirmed_mask.mean() > 0.5
    difference = np.abs(plate.astype(int) - empty_scene().astype(int))[confirmed_mask]
    assert difference.max() <= 3


def test_new_picture_comes_with_its_first_frame_and_rarely_again(seen: Seen) -> None:
    last = b""
    for omega in seen[1]:
        assert omega.environment.png or omega.environment.digest == last
        last = omega.environment.digest
    assert sum(bool(omega.environment.png) for omega in seen[1]) < 15


def test_every_omega_passes_the_gate_with_its_seals(seen: Seen) -> None:
    gate = seen[2]
    assert (gate.passed, gate.held, gate.rejected) == (60, 0, {})


def test_omega_says_how_often_the_detector_saw_a_frame_and_that_nobody_has_a_pose(seen: Seen) -> None:
    reports = [omega.privacy for omega in seen[1]]
    # For 10 s a scene counts as moving, and every frame of 5 per second is seen; then one per second.
    assert {report.detector_hz for report in reports[:10]} == {0.0}
    assert {report.detector_hz for report in reports[10:50]} == {4.0}
    assert reports[-1].detector_hz < 4.0
    assert {report.pose_hz for report in reports} == {0.0}


def test_time_of_every_stage_is_measured_for_every_frame(seen: Seen) -> None:
    seconds = seen[0].seconds
    assert list(seconds) == STAGES
    assert {len(values) for values in seconds.values()} == {60}
    assert min(map(min, seconds.values())) >= 0


def test_same_frames_and_the_same_noise_give_the_same_bytes(seen: Seen) -> None:
    again = run(EdgePipeline(settings=TRANSIT, encoder=BottleneckEncoder(seed=1)), 20)
    assert [cdr.encode(omega) for omega in again] == [cdr.encode(omega) for omega in seen[1][:20]]


def test_picture_with_an_alpha_channel_is_rejected() -> None:
    with pytest.raises(ValueError, match="needs a"):
        EdgePipeline().process(key(0), np.zeros((HEIGHT, WIDTH, 4), np.uint8))
