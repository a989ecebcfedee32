"""The generated tables of docs/results.md."""

import json

import pytest

import results_table

MADE = {
    "command": "privcam bench --only bits",
    "date": "2026-11-29T08:00:00+00:00",
    "revision": "0123456789ab",
    "machine": {"cores": 2, "processor": "some processor", "memory_gib": 23.4},
}
BITS = {
    "source": "clip.mp4",
    "seconds": 60.0,
    "people_per_frame": 2.0,
    "omega_bits_per_s": 20_000,
    "environment_bits_per_s": 3_000,
    "x264_bits_per_s": 537_000,
    "omega_over_x264": 0.0428,
}
FALLS = {
    "clips": 29,
    "recall": 0.9655,
    "missed": ["urfd_21.mp4"],
    "other_clips": 27,
    "false_alarms": 0,
    "false_alarms_beside_a_fall": 0,
    "delay_s": 0.13,
    "delay_s_worst": 0.8,
}
MODEL = {"clips": 56, "falls": FALLS, "fights": {"balanced_accuracy": 0.8}, "ece": 0.01, "ms_per_subject": 0.7}


def written(tmp_path, name, values):
    path = tmp_path / name
    path.write_text(json.dumps(values), encoding="utf-8")
    return path


def test_a_part_of_bench_gives_its_value_with_command_date_and_machine(tmp_path):
    path = written(tmp_path, "bench.json", {"made": {"bits": MADE}, "bits": BITS})
    place, content = results_table.content_of(path)
    assert place == "bench"
    assert "| Ω ÷ x264 | 0.0428: 23 ÷ 537 kbit/s |" in content
    assert "`privcam bench --only bits`, 2026-11-29T08:00:00+00:00, revision 0123456789ab; 2 cores, some pro" in content


def test_the_audit_table_says_which_target_was_missed(tmp_path):
    report = {"made": MADE, "clips": {"a.mp4": {}}, "leak": {"adaptive": 0.051}}
    _, content = results_table.content_of(written(tmp_path, "report.json", report))
    assert "| Person pixels that leak, mode `adaptive` | 5.1 % | ≤ 1 in 100 000 | **no** |" in content


def test_eval_has_a_column_for_each_model(tmp_path):
    path = written(tmp_path, "eval.json", {"made": MADE, "models": {"temporal": MODEL, "rules": MODEL}})
    _, content = results_table.content_of(path)
    assert "| what | temporal | rules |" in content
    assert "| falls found: recall, of | 0.9655, 29 | 0.9655, 29 |" in content


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("other.json", {}, "is none of"),
        ("bench.json", {"made": {"bits": MADE}}, "has no 'bits'"),
        ("bench.json", {"made": {}}, "holds no part"),
        ("eval.json", {"made": MADE, "models": {"temporal": {}}}, "has no 'clips'"),
    ],
)
def test_a_file_without_what_a_table_needs_is_refused_by_name(tmp_path, name, values, said):
    with pytest.raises(results_table.BadResults, match=said):
        results_table.content_of(written(tmp_path, name, values))


def test_content_is_put_between_its_marks_and_nothing_else_changes():
    text = "a\n<!-- results: eval -->\nold\n<!-- end of results: eval -->\nb\n"
    changed = results_table.with_content(text, "eval", "new")
    assert changed == "a\n<!-- results: eval -->\n\nnew\n\n<!-- end of results: eval -->\nb\n"
    assert results_table.with_content(changed, "eval", "new") == changed
    with pytest.raises(results_table.BadResults, match="no place"):
        results_table.with_content(text, "bench", "new")


def test_the_document_has_a_place_for_every_result_file():
    text = (results_table.resource("pyproject.toml").parent / "docs" / "results.md").read_text(encoding="utf-8")
    for place in results_table.PLACES.values():
        assert results_table.with_content(text, place, "new") != text
