"""`privcam eval --vlm` against a real server on the loopback that speaks the protocol, over a real Ω bag."""

import json
from pathlib import Path
from typing import Any

import pytest
from chat_server import ChatServer, Reply, fails, says
from vlm_examples import omega, text

from privcam_cloud.recording.bag_recorder import BagRecorder
from privcam_evaluation.recognition.eval_command import main
from privcam_evaluation.recognition.labelled_clips import read_annotations
from privcam_evaluation.recognition.omega_bags import bag_of
from privcam_link import cdr

FELL = text(behaviors=[{"label": "fall", "confidence": 0.9, "subject_ids": [3]}])


@pytest.fixture
def labelled(tmp_path: Path) -> Path:
    """One clip of a fall, two seconds long, with its Ω bag already made."""
    (tmp_path / "a.mp4").write_bytes(b"")
    entry = {"file": "a.mp4", "label": "fall", "fps": 10.0, "fall_frames_0based": [2, 8]}
    (tmp_path / "annotations.json").write_text(json.dumps([entry]), encoding="utf-8")
    (clip,) = read_annotations(tmp_path)
    recorder = BagRecorder(bag_of(clip, tmp_path / "bags"))
    for number in range(1, 21):
        one = omega(number)
        recorder.write("/clip/cloud/omega", "privcam_msgs/msg/Omega", cdr.encode(one), one.key.stamp_ns)
    recorder.close()
    return tmp_path


def evaluate(folder: Path, reply: Reply) -> tuple[int, dict[str, Any], int]:
    """Return the exit code, eval.json, and how often the server was asked."""
    with ChatServer(reply) as server:
        options = ["--models", "rules", "--bags", str(folder / "bags"), "--out", str(folder / "out")]
        vlm = ["--vlm", "openai", "--vlm-model", "tiny", "--vlm-url", server.url, "--vlm-period", "0.5"]
        code = main([str(folder), *options, *vlm])
    return code, json.loads((folder / "out" / "eval.json").read_text(encoding="utf-8")), len(server.requests)


def test_a_vision_language_model_is_judged_beside_the_others(labelled: Path) -> None:
    code, report, asked = evaluate(labelled, says(FELL))
    assert code == 0
    assert report["models"]["vlm"]["falls"]["recall"] == 1.0
    assert report["models"]["rules"]["falls"]["recall"] == 0.0
    assert report["models"]["vlm"]["model_id"] == "openai:tiny"
    assert asked == 4, "once in half a second of camera time"
    assert "| a.mp4 | fall | fall |" in (labelled / "out" / "vlm.md").read_text(encoding="utf-8")


def test_what_it_does_not_reply_is_counted_and_no_opinion(labelled: Path) -> None:
    code, report, _ = evaluate(labelled, fails(404))
    assert code == 0
    assert report["models"]["vlm"]["falls"]["recall"] == 0.0
    assert report["models"]["vlm"]["no_answer"] == {"http": 4}


def test_a_model_that_cannot_be_used_is_named(labelled: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main([str(labelled), "--models", "rules", "--bags", str(labelled / "bags"), "--out", str(labelled / "o"),
                 "--vlm", "transformers", "--vlm-model", "../no such/model"])  # fmt: skip
    assert code == 2
    assert "vlm_model" in capsys.readouterr().err
