"""What z gives away to the attackers of `privcam audit`: pictures computed back from it, and subjects named from it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from zlib import crc32

import numpy as np
import numpy.typing as npt

from privcam_anonymization.anonymizer import PoseSettings
from privcam_audit.attacks.inversion_attack import InversionAttack
from privcam_audit.attacks.pose_sequences import PoseClip, anonymise, msr_action3d
from privcam_audit.attacks.reidentification import CHOSEN_ON, Score, majority, strongest
from privcam_audit.attacks.sequence_classifiers import cross_validate, statistics
from privcam_core.drawing.proxy import overlay
from privcam_core.images.environment import FILL
from privcam_core.types.arrays import Image
from privcam_core.types.omega import Embedding, SubjectPose
from privcam_edge.embedding.shrinking import INPUT, shrink
from privcam_training.encoder.recordings import Moment

Array = npt.NDArray[np.float32]
# Of every clip so many frames are drawn, evenly over it. With more frames of a longer clip its noise would be another,
# and attackers would name the length: of pure noise they named 35 % so, where chance is 20 %.
FRAMES = 16


@dataclass(frozen=True)
class Naming:
    """Sequences of Ĩ with one subject each. pictures: (len(clips) x FRAMES, *INPUT, 3), one clip after the other."""

    clips: Sequence[PoseClip]
    pictures: Image

    @property
    def chance(self) -> float:
        """The fraction of the subject with most clips."""
        return majority([clip.subject for clip in self.clips])


def naming(skeletons: Path, *, report: bool) -> Naming | None:
    """Return MSR Action3D as canonical proxies before an unknown room, None where the folder does not have it.

    report: the subjects that nothing was chosen on; otherwise those that it was.
    """
    clips = [clip for clip in msr_action3d(skeletons) if (clip.subject in CHOSEN_ON) != report]
    if not clips:
        return None
    pictures: list[Image] = []
    for clip in clips:
        room = np.full((*clip.shape, 3), FILL, np.uint8)
        poses = _centred(anonymise(clip, PoseSettings(), seed=crc32(clip.name.encode())).poses, clip.shape)
        for keypoints in poses[np.rint(np.linspace(0, len(poses) - 1, FRAMES)).astype(int)]:
            seen = keypoints[keypoints[:, 2] > 0, :2]
            (x0, y0), (x1, y1) = seen.min(axis=0).tolist(), seen.max(axis=0).tolist()
            pictures.append(shrink(overlay(room, [SubjectPose(1, (x0, y0, x1 + 1, y1 + 1), keypoints)])))
    return Naming(clips, np.array(pictures, np.uint8).reshape(-1, *INPUT, 3))


def _centred(poses: npt.NDArray[np.float64], shape: tuple[int, int]) -> Array:
    """Return poses (T, 17, 3) in the middle of a picture of `shape` (H, W) and half as high, as a whole.

    Where somebody stood and how near tells the recording and not the person, here as in the attack on poses.
    """
    points = poses[:, :, :2][poses[:, :, 2] > 0]
    low, high = np.percentile(points, (2, 98), axis=0)
    moved = poses.astype(np.float32)
    middle = np.array([shape[1], shape[0]]) / 2
    moved[:, :, :2] = (poses[:, :, :2] - (low + high) / 2) * (0.5 * shape[0] / (high - low)[1]) + middle
    return moved


def named(of: Naming, z: Array) -> Score:
    """Return of how many clips the best attacker names the subject from z.

    z: (N, D) of all pictures.
    """
    series = z.reshape(len(of.clips), FRAMES, -1).transpose(0, 2, 1).astype(np.float64)
    features = np.array([statistics(np.arange(FRAMES), one, rhythmic=one) for one in series])
    return strongest(
        cross_validate(features, features, [clip.subject for clip in of.clips], [clip.session for clip in of.clips])
    )


def inverted(of: Sequence[Moment], z: Array, out: Path) -> tuple[float, float, float]:
    """Return the PSNR in dB of persons computed back from z alone, from z and P, and of the mean picture.

    z: (N, D) of the moments. out: folder for the figure of the attack.
    """
    attack = InversionAttack()
    for moment, one in zip(of, z, strict=True):
        scale = max(float(np.abs(one).max()) / 127, 1e-6)
        numbers = np.clip(np.rint(one / scale), -127, 127).astype(np.int8)
        embedding = Embedding("attacked", numbers.shape, scale, numbers.tobytes(), 0.0, 1.0)
        attack.observe(moment.clip.name, moment.raw, replace(moment.omega, embedding=embedding), moment.omega.poses)
    out.mkdir(parents=True, exist_ok=True)
    found = attack.part(out).values["inversion"]
    return found["z_psnr_db"], found["psnr_db"], found["mean_picture_psnr_db"]
