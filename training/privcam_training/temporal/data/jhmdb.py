"""Trains the same architecture on a public data set, to compare it with others: JHMDB, 2-D poses, split 1.

    python -m privcam_training.temporal.data.jhmdb FOLDER

FOLDER has GT_train_1.pkl and GT_test_1.pkl, each a dict of `pose` (list of (T, 15, 2)) and `label`.
"""

import argparse
import pickle
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from privcam_core.types.skeleton import KEYPOINT_COUNT, Joint
from privcam_recognition.features import body_height, height_hint
from privcam_recognition.temporal.windows import STEP_S, STEPS, Track, window
from privcam_training.temporal.examples import Examples
from privcam_training.temporal.temporal_fitting import fit
from privcam_training.temporal.trained_network import predict

# Place of each of our joints among those of JHMDB. Neck and belly have no counterpart; the face stands for the nose.
JOINTS = {
    Joint.NOSE: 2, Joint.RIGHT_SHOULDER: 3, Joint.LEFT_SHOULDER: 4, Joint.RIGHT_HIP: 5, Joint.LEFT_HIP: 6,
    Joint.RIGHT_ELBOW: 7, Joint.LEFT_ELBOW: 8, Joint.RIGHT_KNEE: 9, Joint.LEFT_KNEE: 10, Joint.RIGHT_WRIST: 11,
    Joint.LEFT_WRIST: 12, Joint.RIGHT_ANKLE: 13, Joint.LEFT_ANKLE: 14,
}  # fmt: skip
# Coordinates there are fractions of the picture; a picture of this many px gives sizes that a camera gives.
_PX = 300.0
EPOCHS = 150


def example(pose: npt.NDArray[np.float64]) -> npt.NDArray[np.float32]:
    """Return the window that a whole clip fills, whatever its length. pose: (T, 15, 2)."""
    times = np.linspace(0.0, (STEPS - 1) * STEP_S, STEPS)
    source = np.linspace(0.0, times[-1], len(pose))
    smooth = np.stack([np.interp(times, source, column) for column in pose.reshape(len(pose), -1).T], axis=1)
    points = smooth.reshape(STEPS, *pose.shape[1:]) * _PX
    keypoints = np.zeros((STEPS, KEYPOINT_COUNT, 3), np.float32)
    for ours, theirs in JOINTS.items():
        keypoints[:, ours, :2] = points[:, theirs]
        keypoints[:, ours, 2] = 1.0
    boxes = np.concatenate((points.min(axis=1), points.max(axis=1)), axis=1).astype(np.float32)
    hints = [hint for frame in keypoints if (hint := height_hint(frame)) is not None]
    return window(Track(times, boxes, keypoints), body_height(hints), float(times[-1]))


class _ArraysOnly(pickle.Unpickler):
    """Reads containers and numpy arrays. A file from elsewhere that names anything else is refused, and not run."""

    def find_class(self, module: str, name: str) -> object:
        if module.split(".", maxsplit=1)[0] == "numpy" and name in {"_reconstruct", "ndarray", "dtype", "scalar"}:
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"the file names {module}.{name}, which is no array; take the published files")


def read(path: Path, names: Sequence[str] | None = None) -> tuple[Examples, list[str]]:
    """Return the clips of a file as examples, and the names of the labels."""
    with path.open("rb") as file:
        content = _ArraysOnly(file).load()
    labels = list(names or sorted(set(content["label"])))
    allowed = np.array([[label == name for name in labels] for label in content["label"]])
    windows = np.stack([example(np.asarray(pose, float)) for pose in content["pose"]])
    return Examples(windows, allowed, np.array(["jhmdb"] * len(windows))), labels


def main(argv: Sequence[str]) -> int:
    """Train on the training split, print the accuracy on the test split."""
    parser = argparse.ArgumentParser(prog="python -m privcam_training.temporal.data.jhmdb", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--seeds", type=int, default=3, help="trainings, to see how much chance does")
    options = parser.parse_args(argv)
    torch.set_num_threads(1)
    known, labels = read(options.folder / "GT_train_1.pkl")
    others, _ = read(options.folder / "GT_test_1.pkl", labels)
    fractions = []
    for seed in range(options.seeds):
        logits = predict(fit(known, epochs=options.epochs, seed=seed).network, others.windows)
        fractions.append(float(others.allowed[np.arange(len(others)), logits.argmax(axis=1)].mean()))
        print(
            f"[jhmdb] seed {seed}: accuracy {fractions[-1]:.4f} of {len(others)} clips, {len(labels)} classes",
            flush=True,
        )
    print(f"[jhmdb] mean {np.mean(fractions):.4f}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
