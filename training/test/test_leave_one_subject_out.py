"""Leave one out: nothing is learned from whom a network is tested on."""

from pathlib import Path

import numpy as np

from privcam_recognition.temporal.temporal_model import LABELS
from privcam_recognition.temporal.windows import FEATURES, STEPS
from privcam_training.temporal.data.skeleton_clips import clip_of
from privcam_training.temporal.examples import Examples, join
from privcam_training.temporal.labels import only
from privcam_training.temporal.leave_one_subject_out import fit_folds
from privcam_training.temporal.temporal_fitting import fit
from privcam_training.temporal.trained_network import predict

FALL, EPOCHS = LABELS.index("fall"), 8


def alike(group: str, label: str, level: float) -> Examples:
    """Windows of one group, all of them around one level and with one label."""
    windows = np.random.default_rng(3).normal(level, 0.1, (256, STEPS, FEATURES)).astype(np.float32)
    return Examples(windows, np.tile(only(label), (256, 1)), np.full(256, group))


def test_what_only_one_subject_does_is_not_known_to_the_network_that_is_tested_on_her(tmp_path: Path) -> None:
    clips = [clip_of(name, "fall", name, 10.0) for name in ("ann", "bob")]
    ann, bob = alike("ann", "fall", 0.5), alike("bob", "walking", -0.5)
    others = join([alike("simulated", "standing", 0.0), alike("ann", "fall", 0.6)])
    weights, said = fit_folds(clips, join([ann, bob]), others, EPOCHS, 7, tmp_path)
    assert [path.exists() for path in weights] == [True, True]
    logits, allowed = said[0]
    assert len(logits) == len(ann) and allowed[:, FALL].all()
    assert (logits.argmax(axis=1) != FALL).all(), "nobody else falls, so only who was shown Ann knows it"
    everything = fit(join([ann, bob, others]), epochs=EPOCHS).network
    assert (predict(everything, ann.windows).argmax(axis=1) == FALL).all(), "there is something to be learned"
