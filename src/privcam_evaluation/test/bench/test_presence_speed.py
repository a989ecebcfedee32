"""The time of presences and looks is that of the methods, frame by frame, and the classes are as before afterwards."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from privcam_core.models.reference import synthetic_picture
from privcam_evaluation.bench.presence_speed import main, measure, summary
from privcam_perception.look_again import LookAgain
from privcam_privacy.presence.presence_tracker import PresenceTracker


def clip(folder: Path, frames: int) -> Path:
    path = folder / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (320, 240))
    for index in range(frames):
        image = np.full((240, 320, 3), 130, np.uint8)
        image[40:200, 5 * index : 5 * index + 160] = synthetic_picture(160, 160)
        writer.write(image)
    writer.release()
    return path


def test_every_frame_after_the_warm_up_has_both_times_and_the_classes_stay_as_they_were(tmp_path: Path) -> None:
    before = PresenceTracker.update, PresenceTracker.release, LookAgain.detect
    found = measure(clip(tmp_path, 14), frames=13, every=1)
    assert {part: len(values) for part, values in found.items()} == {"presence": 3, "look_again": 3}
    assert min(found["presence"]) > 0
    assert (PresenceTracker.update, PresenceTracker.release, LookAgain.detect) == before


def test_summary_adds_the_times_of_each_frame() -> None:
    text = summary({"presence": [0.002, 0.002, 0.002], "look_again": [0.0, 0.0, 0.007]})
    assert "together 2.00 ms" in text and "a look in 33% of 3 frames" in text


def test_too_few_frames_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["clip.mp4", "--frames", "10"])
    assert "--frames needs more than 10" in capsys.readouterr().err
