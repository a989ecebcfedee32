"""What is said of people on whom the model was not trained, and that a command prints it."""

import json
from pathlib import Path

import numpy as np
import pytest

from privcam_recognition.temporal.temporal_network import SUBJECT_WEIGHTS
from privcam_training.temporal import external_eval
from privcam_training.temporal.data import sbu
from privcam_training.temporal.simulation.simulator import SCRIPTS

# A body that stands, y up, -1 to 1 over the picture.
_HEIGHTS = {"NOSE": 0.5, "SHOULDER": 0.3, "ELBOW": 0.1, "WRIST": 0.0, "HIP": 0.0, "KNEE": -0.3, "ANKLE": -0.6}


def test_of_every_kind_of_simulated_people_it_is_counted_how_many_fall() -> None:
    counts = external_eval.simulated_falls(SUBJECT_WEIGHTS, people=2)
    assert list(counts) == list(SCRIPTS)
    assert 1 <= counts["fall"] <= 2
    assert counts["walk"] == counts["stay"] == 0


def test_command_says_of_every_set_how_much_was_found(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(external_eval, "PEOPLE", 1)
    (tmp_path / "sbu").mkdir()
    body = np.array([(0.02 * (place % 2), _HEIGHTS[joint.name.split("_")[-1]]) for joint, place in sbu.JOINTS.items()])
    two = np.zeros((2, 15, 2))
    two[:, list(sbu.JOINTS.values())] = body + np.array([[[-0.2, 0.0]], [[0.2, 0.0]]])
    still = two[:, None].repeat(25, axis=1).tolist()
    (tmp_path / "sbu" / sbu.FILE).write_text(json.dumps(json.dumps({"x": [still, still], "label": [7, 4]})))
    assert external_eval.main([str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "UP-Fall: 0 of 0 files" in said
    assert "SBU, punching: a fight is reported in 0 of 1" in said
    assert "SBU, shaking hands: a fight is reported in 0 of 1" in said
    assert "simulated, lie down: a fall is reported of" in said
