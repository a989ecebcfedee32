"""How fast limbs are, from published skeletons."""

from pathlib import Path

import numpy as np
import pytest

from privcam_training.limb_speed import main


def test_who_waves_is_faster_than_who_stands(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Reads skeletons in the published form: 20 Kinect joints in m, y up, z away."""
    joints = np.zeros((60, 20, 4))
    joints[..., 2], joints[..., 3] = 3.0, 1.0
    left = {0: 1.4, 7: 1.1, 9: 0.85, 4: 0.9, 13: 0.5, 15: 0.1}
    height = {19: 1.7, **left, **{joint + 1: y for joint, y in left.items()}}
    side = {0: -0.2, 7: -0.25, 9: -0.25, 4: -0.1, 13: -0.1, 15: -0.1}
    for joint, y in height.items():
        joints[:, joint, 1] = y - 0.9
        joints[:, joint, 0] = side.get(joint, -side.get(joint - 1, 0.0))
    waving = joints.copy()
    waving[:, [9, 10], 1] += 0.6 * np.abs(np.sin(np.arange(60) / 15 * np.pi * 2))[:, None]
    (tmp_path / "msraction3d").mkdir()
    np.savez(tmp_path / "msraction3d" / "some.npz", a11_s01_e01=waving, a16_s01_e01=joints)
    assert main([str(tmp_path)]) == 0
    rows = {line.split(" | ")[0].removeprefix("| "): line.split(" | ") for line in capsys.readouterr().out.splitlines()}
    assert float(rows["two hand wave"][2]) > float(rows["jogging"][2]) + 0.15
