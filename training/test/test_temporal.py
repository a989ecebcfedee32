"""The training of the temporal model, on little data: what the simulator shows, what is learned, what is exported."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from privcam_core.types.skeleton import Joint
from privcam_evaluation.recognition.event_matching import match_events
from privcam_evaluation.recognition.labelled_clips import Clip
from privcam_recognition.temporal.temporal_model import LABELS, TemporalModel
from privcam_recognition.temporal.temporal_network import TemporalNetwork as Deployed
from privcam_recognition.temporal.windows import FEATURES, STEPS
from privcam_training.temporal.data.skeleton_clips import clip_of, omegas_of_poses
from privcam_training.temporal.examples import SOON_S, _soon, simulate_examples
from privcam_training.temporal.folds import folds
from privcam_training.temporal.labels import but, only
from privcam_training.temporal.simulation import simulator, stick_body
from privcam_training.temporal.temporal_export import export
from privcam_training.temporal.temporal_fitting import allowed_probability, augment, fit, temperature
from privcam_training.temporal.trained_network import TemporalNetwork, predict

FALL = LABELS.index("fall")


def test_standing_body_is_a_body_that_stands_and_faces_the_camera() -> None:
    joints = stick_body.joints(stick_body.STANDING, heading=0.0, place=np.zeros(2))
    assert joints[Joint.NOSE, 1] > joints[Joint.LEFT_SHOULDER, 1] > joints[Joint.LEFT_HIP, 1] > 0.4
    assert joints[Joint.LEFT_ANKLE, 1] < 0.05
    assert joints[Joint.LEFT_SHOULDER, 0] > joints[Joint.RIGHT_SHOULDER, 0], "its left is at the camera's right"
    assert joints[Joint.NOSE, 2] < joints[Joint.LEFT_EAR, 2], "the nose is nearer to the camera than the ears"


@pytest.mark.parametrize(
    "posture", [stick_body.SUPINE, stick_body.PRONE, stick_body.ON_SIDE, replace(stick_body.ON_SIDE, roll=-88.0)]
)
def test_lying_body_lies(posture: stick_body.Posture) -> None:
    for heading in (0.0, 70.0, 200.0):
        joints = stick_body.joints(posture, heading, np.zeros(2))
        assert joints[:, 1].max() < 0.45
        assert np.ptp(joints[:, [0, 2]], axis=0).max() > 0.5


def test_camera_above_sees_the_far_end_of_the_floor_higher_in_the_picture() -> None:
    floor = np.array([[0.0, 0.0, -0.5], [0.0, 0.0, 0.5]])
    near, far = stick_body.Camera(tilt=30.0, distance=5.0).project(floor)
    assert far[1] < near[1]


def test_every_script_gives_a_recording_that_an_edge_could_have_sent() -> None:
    random = np.random.default_rng(3)
    for script in simulator.SCRIPTS.values():
        recording = simulator.record(script(random), random)
        assert len(recording.poses) == len(recording.seconds) == len(recording.allowed)
        assert (np.diff(recording.seconds) > 0).all()
        assert recording.allowed.any(axis=1).all()


def test_simulation_is_the_same_again_for_the_same_seed_and_another_for_another() -> None:
    first, again, other = simulate_examples(3, 1), simulate_examples(3, 1), simulate_examples(3, 2)
    assert np.array_equal(first.windows, again.windows)
    assert not np.array_equal(first.windows[:4], other.windows[:4])


def test_moments_soon_after_a_change_are_those_and_no_others() -> None:
    seconds = np.arange(40) / 8
    allowed = np.where((seconds < 1.95)[:, None], only("standing"), only("fall"))
    nobody = [None] * len(seconds)
    soon = seconds[_soon(simulator.Recording(seconds, nobody, allowed))]
    assert (soon.min(), soon.max()) == (2.0, 2.75)
    assert SOON_S == 0.8
    assert not _soon(simulator.Recording(seconds, nobody, allowed[:1].repeat(len(seconds), axis=0))).any()


def test_augmented_windows_keep_their_shape_and_their_signs_of_life() -> None:
    windows = simulate_examples(4, 5).windows
    changed = augment(windows, np.random.default_rng(0))
    assert changed.shape == windows.shape
    assert np.array_equal(changed[:, :, 0], windows[:, :, 0]), "who was seen stays seen"
    assert not np.array_equal(changed, windows)


@pytest.fixture(scope="module")
def learned() -> TemporalNetwork:
    torch.set_num_threads(1)
    fitted = fit(simulate_examples(260, 11), epochs=8)
    assert fitted.losses[-1] < 0.6 * fitted.losses[0]
    return fitted.network


def test_what_is_learned_holds_for_other_simulated_people(learned: TemporalNetwork) -> None:
    others = simulate_examples(80, 99)
    logits = predict(learned, others.windows)
    falls = others.allowed[:, FALL] & (others.allowed.sum(axis=1) == 1)
    none = ~others.allowed[:, FALL]
    says = logits.argmax(axis=1) == FALL
    assert (says[falls].mean() + (~says[none]).mean()) / 2 > 0.75


def test_exported_network_says_what_the_trained_one_says(learned: TemporalNetwork, tmp_path: Path) -> None:
    windows = simulate_examples(6, 7).windows
    deployed = Deployed(export(learned, tmp_path / "temporal.json", temperature=1.0))
    logits = predict(learned, windows)
    fractions = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert np.abs(deployed.predict(windows) - fractions).max() < 1e-4
    assert deployed.predict(np.zeros((0, STEPS, FEATURES), np.float32)).shape == (0, len(LABELS))


def test_temperature_makes_an_oversure_network_as_sure_as_it_is_right() -> None:
    random = np.random.default_rng(0)
    said = random.integers(0, 3, 600)
    # It is right in 7 of 10 cases and says 0.999.
    true = np.where(random.random(600) < 0.7, said, (said + 1) % 3)
    logits, allowed = np.eye(3, dtype=np.float32)[said] * 8.0, np.eye(3, dtype=bool)[true]
    t = temperature(logits, allowed)
    assert float(allowed_probability(logits / t, np.eye(3, dtype=bool)[said]).mean()) == pytest.approx(0.7, abs=0.06)


def test_sets_of_labels_say_what_they_are() -> None:
    assert only("fall").sum() == 1 and but(("fall",)).sum() == len(LABELS) - 1
    assert not (only("fall") & but(("fall",))).any()


def test_nobody_is_in_two_folds_and_everybody_in_one() -> None:
    clips = [
        Clip(Path(f"{n}.mp4"), str(n), "fall" if n < 4 else "adl", None, f"s{n % 5}", "", 10.0, depth_beside=False)
        for n in range(12)
    ]
    parts = folds(clips)
    assert sorted(group for part in parts for group in part) == sorted({clip.group for clip in clips})


def falls_of(recording: simulator.Recording) -> int:
    """How often the model that privcam ships reports a fall."""
    poses = [[] if pose is None else [pose] for pose in recording.poses]
    omegas = omegas_of_poses(zip(recording.seconds.tolist(), poses, strict=True), simulator.PICTURE)
    return len(match_events(clip_of("simulated", "adl", "", 1.0), omegas, TemporalModel()).falls)


def test_shipped_model_reports_simulated_falls_once_and_none_of_people_who_sit_down_or_walk() -> None:
    """People whom it never saw: other seeds than those of the training. How good it is, is measured by `eval`."""
    random = np.random.default_rng(12345)
    falls = [falls_of(simulator.record(simulator._fall(random), random)) for _ in range(20)]
    calm = [
        falls_of(simulator.record(script(random), random))
        for script in (simulator._sit_down, simulator._go, simulator._stay)
        for _ in range(8)
    ]
    assert sum(count >= 1 for count in falls) >= 14
    assert sum(count > 1 for count in falls) <= 2
    assert sum(count > 0 for count in calm) <= 3
