from pathlib import Path

import numpy as np
import pytest

from privcam_core.models import ModelError, load
from privcam_core.models.manifest import load_manifest
from privcam_core.models.reference import check, load_reference, sample, synthetic_input, synthetic_picture

DEFAULTS = load_manifest(Path("/nonexistent")).names


@pytest.mark.parametrize("name", DEFAULTS)
def test_imported_model_gives_its_recorded_outputs(name: str) -> None:
    session = load(name)
    check(session.entry, session.run(synthetic_input(session.entry)))


def test_recorded_outputs_are_of_a_picture_that_the_models_react_to() -> None:
    assert load_reference("movenet_thunder")["Identity"].reshape(17, 3)[:, 2].max() > 0.5
    mask = load_reference("selfie")["activation_10"]
    assert 0.05 < mask.mean() < 0.6


def test_small_error_in_one_output_is_refused_with_its_size() -> None:
    session = load("face_short")
    outputs = session.run(synthetic_input(session.entry))
    outputs[1] = outputs[1] + np.float32(0.01)
    with pytest.raises(ModelError, match=r"face_short: output classificators differs .* by 0\.01.*allowed is 0\.001"):
        check(session.entry, outputs)


def test_output_that_is_not_a_number_or_of_another_shape_is_refused() -> None:
    entry = load_manifest().entry("movenet_lightning")
    with pytest.raises(ModelError, match="differs"):
        check(entry, [np.full((1, 1, 17, 3), np.nan, np.float32)])
    with pytest.raises(ModelError, match=r"shape \(1, 17, 2\)"):
        check(entry, [np.zeros((1, 17, 2), np.float32)])


def test_mask_logits_are_compared_as_probabilities() -> None:
    entry = load_manifest().entry("pose_landmark_full")
    outputs = [load_reference(entry.name)[name] for name in entry.outputs]
    assert outputs[2].min() < -1000
    outputs[2] = np.where(outputs[2] < -100, outputs[2] + 50, outputs[2])
    check(entry, outputs)


def test_sample_of_a_large_output_visits_every_channel() -> None:
    output = np.tile(np.arange(80), (1, 2080, 1))
    taken = sample(output)
    assert len(taken) <= 2048 and set(taken.astype(int)) == set(range(80))


def test_synthetic_picture_is_the_same_on_every_machine() -> None:
    picture = synthetic_picture(64, 48)
    assert picture.shape == (64, 48, 3) and picture.dtype == np.uint8
    assert picture[5, 7].tolist() == [134, 165, 121]
