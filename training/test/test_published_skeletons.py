"""Published skeletons are read in the form in which they are published, and become what an edge would have sent."""

import csv
import io
import json
from pathlib import Path
from zipfile import ZipFile

import numpy as np
import pytest

from privcam_core.types.skeleton import SEEN, Joint
from privcam_training.temporal.data import sbu, upfall, urfd
from privcam_training.temporal.data.skeleton_clips import SkeletonClip, clip_of, omegas
from privcam_training.temporal.examples import clip_examples
from privcam_training.temporal.leave_one_subject_out import _of
from privcam_training.temporal.train_temporal import published_examples

# A body that stands, x and y as fractions of the picture, y down, by joint.
HEIGHTS = {"nose": 0.2, "eye": 0.19, "ear": 0.2, "shoulder": 0.3, "elbow": 0.4, "wrist": 0.5, "hip": 0.5, "knee": 0.65,
           "ankle": 0.8}  # fmt: skip


def standing() -> dict[Joint, tuple[float, float]]:
    side = {"LEFT": 0.52, "RIGHT": 0.48}
    return {
        joint: (side.get(joint.name.split("_")[0], 0.5), HEIGHTS[joint.name.split("_")[-1].lower()]) for joint in Joint
    }


def lying() -> dict[Joint, tuple[float, float]]:
    """The same body, turned about its feet."""
    return {joint: (0.5 - 0.6 * (0.8 - y), 0.78 + 0.6 * (x - 0.5)) for joint, (x, y) in standing().items()}


def between(fraction: float) -> dict[Joint, tuple[float, float]]:
    up, down = standing(), lying()
    return {joint: tuple(np.array(up[joint]) * (1 - fraction) + np.array(down[joint]) * fraction) for joint in Joint}  # type: ignore[misc]


def upfall_row(fraction: float) -> list[float]:
    row = np.full((33, 3), 0.5)
    for joint, (x, y) in between(fraction).items():
        row[upfall.JOINTS[joint]] = x, y, 0.0
    return [*row.reshape(-1).tolist(), 0.0]


def write_upfall(folder: Path, *, missing: tuple[int, ...] = (), frames: int = 120) -> list[int]:
    """Write a fall in frames 20 to 38 as it is published; return the numbers of the frames in the order of the rows."""
    numbers = [number for number in sorted(range(1, frames + 1), key=str) if number not in missing][:100]
    header = ",".join(f"Joint{j}_{axis}" for j in range(1, 34) for axis in "XYZ") + ",LABEL"
    wobble = np.random.default_rng(0).normal(0.0, 0.002, (frames + 1, 100))
    lines = [np.array(upfall_row(float(np.clip((n - 20) / 18, 0, 1)))) + wobble[n] for n in numbers]
    (folder / "upfall").mkdir()
    with ZipFile(folder / "upfall" / "SUBJECT1.zip", "w") as archive:
        archive.writestr("C1S1A2T3.csv", "\n".join([header, *(",".join(map(str, line)) for line in lines)]))
    (folder / "omnifall_labels").mkdir()
    (folder / upfall.TIMES).write_text(
        "path,label,start,end,subject,cam,dataset\n"
        "Subject1/Activity2/Trial3/Subject1Activity2Trial3Camera1,8,0.0,1.1,1,1,up_fall\n"
        "Subject1/Activity2/Trial3/Subject1Activity2Trial3Camera1,1,1.1,2.1,1,1,up_fall\n"
    )
    return numbers


def test_frames_that_are_sorted_as_text_are_found_again(tmp_path: Path) -> None:
    numbers = write_upfall(tmp_path, missing=(17, 45, 46, 103))
    ((_, rows),) = upfall._files(tmp_path / "upfall")
    found = upfall.order_rows(rows.reshape(len(rows), -1))
    assert (np.diff(rows[np.argsort(found), 0, 1]) >= -0.03).all(), "the head only ever comes down"
    assert (np.abs(found - numbers) <= 2).mean() > 0.9, "who stands still could be in a frame or in the next"


def test_a_fall_of_upfall_is_one_clip_of_its_subject(tmp_path: Path) -> None:
    write_upfall(tmp_path, missing=(3, 60))
    (sequence,) = upfall.read(tmp_path)
    assert (sequence.clip.name, sequence.clip.group, sequence.clip.label) == ("upfall_C1S1A2T3", "upfall_S1", "fall")
    assert sequence.clip.fall == (20, 38)
    nose = sequence.poses[:, 0, Joint.NOSE]
    assert nose[sequence.clip.fall[0] - 1, 1] < 0.25 * 480 < 0.7 * 480 < nose[sequence.clip.fall[1] + 1, 1]
    assert sequence.poses[..., 2].any(axis=(1, 2)).sum() == 100, "nobody is in the frames that are missing"


def test_a_fall_that_is_not_in_the_first_hundred_rows_is_left_out(tmp_path: Path) -> None:
    write_upfall(tmp_path, frames=190)
    assert upfall.count(tmp_path) == 1
    assert upfall.read(tmp_path) == []


def test_nothing_is_read_from_a_folder_without_the_sets(tmp_path: Path) -> None:
    assert (upfall.read(tmp_path), urfd.read(tmp_path), sbu.read(tmp_path)) == ([], [], [])


def write_urfd(path: Path, name: str, labels: str, *, twice: bool = False) -> None:
    """Write one frame for each label, the first is number 5."""
    names = ["Nose", *(f"{s}{part}" for part in ("Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle") for s in "LR")]
    header = ["video", "frame", *(f"{joint}_{part}" for joint in names for part in "xys"), "label"]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(header)
    for number, label in enumerate(labels, start=5):
        joints = between(float(label) / 2)
        values = [v for j in names for v in (*joints[_joint(j)], 0.9)]
        for _ in range(1 + twice):
            writer.writerow([name, number, *values, label])
    path.write_text(text.getvalue())


def _joint(name: str) -> Joint:
    return Joint.NOSE if name == "Nose" else Joint[f"{'LEFT' if name[0] == 'L' else 'RIGHT'}_{name[1:].upper()}"]


def test_a_clip_of_urfd_belongs_to_its_actor_and_has_its_marks(tmp_path: Path) -> None:
    write_urfd(tmp_path / urfd.FILE, "fall-13", "0001112")
    (sequence,) = urfd.read(tmp_path)
    assert (sequence.clip.group, sequence.clip.rate, sequence.clip.fall) == ("urfd_C", 30.0, (7, 9))
    assert not sequence.poses[:4].any(), "it begins with frame 5"
    assert sequence.poses[4, 0, Joint.LEFT_ANKLE].tolist() == pytest.approx([0.52 * 320, 0.8 * 240, 0.9])
    assert not sequence.poses[:, 0, Joint.LEFT_EYE].any(), "eyes are not known"


def test_a_clip_of_urfd_with_two_labels_for_a_frame_is_left_out(tmp_path: Path) -> None:
    write_urfd(tmp_path / urfd.FILE, "fall-13", "0112", twice=True)
    assert urfd.read(tmp_path) == []


def write_sbu(path: Path, labels: list[int]) -> None:
    body = np.zeros((15, 2))
    for joint, place in sbu.JOINTS.items():
        x, y = standing()[joint]
        body[place] = 2 * x - 1, 1 - 2 * y
    two = np.stack([body - np.array([0.2, 0.0]), body + np.array([0.2, 0.0])])[:, None].repeat(25, axis=1)
    path.write_text(json.dumps(json.dumps({"x": [two.tolist()] * len(labels), "label": labels})))


def test_two_people_of_sbu_stand_beside_each_other_and_kicks_are_fights(tmp_path: Path) -> None:
    write_sbu(tmp_path / sbu.FILE, [2, 4])
    kick, shake = sbu.read(tmp_path)
    assert (kick.clip.label, shake.clip.label) == ("fight", "no_fight")
    assert kick.poses.shape == (25, 2, 17, 3)
    first, second = kick.poses[0]
    assert first[Joint.NOSE, 0] < second[Joint.NOSE, 0] and first[Joint.NOSE, 1] < first[Joint.LEFT_ANKLE, 1]
    sent = omegas(kick)
    assert [len(omega.poses) for omega in sent] == [2] * 25
    assert {pose.subject_id for pose in sent[0].poses} == {1, 2}


def fall(frames: int = 60) -> SkeletonClip:
    """Somebody who falls from frame 20 to 38, at 18 frames/s."""
    poses = np.zeros((frames, 1, 17, 3), np.float32)
    for frame in range(frames):
        for joint, (x, y) in between(float(np.clip((frame - 20) / 18, 0, 1))).items():
            poses[frame, 0, joint] = x * 640, y * 480, 0.9
    return SkeletonClip(clip_of("fall", "fall", "somebody", 18.0, (20, 38)), poses, (480, 640))


def test_examples_of_a_published_fall_carry_its_subject_and_say_when_it_is_one() -> None:
    sequence = fall()
    examples = clip_examples(sequence.clip, omegas(sequence))
    assert len(examples) and set(examples.groups) == {"somebody"}
    falls = examples.allowed[:, _label("fall")]
    assert falls[-1] and not falls[0]


def test_who_is_tested_is_not_learned_from_in_a_published_set_either(tmp_path: Path) -> None:
    (tmp_path / "urfd").mkdir()
    write_urfd(tmp_path / "urfd" / urfd.FILE, "fall-13", "0" * 20 + "1" * 30 + "2" * 10)
    (tmp_path / "sbu").mkdir()
    write_sbu(tmp_path / "sbu" / sbu.FILE, [4])
    examples = published_examples(tmp_path)
    assert set(examples.groups) == {"urfd_C", "sbu"}
    assert set(_of(examples, {"urfd_C", "kal_1"}, left=False).groups) == {"sbu"}
    assert len(published_examples(None)) == 0


def _label(name: str) -> int:
    from privcam_recognition.temporal.temporal_model import LABELS

    return LABELS.index(name)


def test_what_is_sent_of_a_published_skeleton_is_anonymised() -> None:
    sequence = fall()
    visible = omegas(sequence)[10].poses[0]
    assert set(np.unique(visible.keypoints[:, 2])) <= {np.float32(0.0), np.float32(0.35), np.float32(0.8)}
    assert (visible.keypoints[:, :2] == np.rint(visible.keypoints[:, :2])).all()
    assert (visible.keypoints[:, 2] >= SEEN).all()


def test_nobody_is_sent_of_a_frame_without_joints() -> None:
    sequence = fall()
    sequence.poses[5] = 0.0
    assert omegas(sequence)[5].poses == []
