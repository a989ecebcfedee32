"""The report of an audit: what a person reads on top, and what a program finds in the JSON."""

import json
from pathlib import Path

import numpy as np
import pytest

from privcam_audit.acceptance_criteria import failed, losing, summary
from privcam_audit.audit_part import AuditPart
from privcam_audit.audit_report import KEYS, merged, write
from privcam_audit.clip_audit import detector_part
from privcam_audit.privacy_budget import budget
from privcam_core.types.omega import PrivacyReport, Verdict

ABOUT = {"walk": {"file": "walk.mp4", "frames": 60, "rate_hz": 10.0, "width": 64, "height": 48, "camera_moves": True}}


def leak(fraction: float) -> AuditPart:
    clip = {
        "fraction": fraction, "exposed_fraction": fraction / 2, "leaked_pixels": 12, "labelled_pixels": 1000,
        "leaking_frames": 3, "frames": 60, "worst_frame": 40,
    }  # fmt: skip
    totals = {"adaptive": np.float64(fraction), "locked": 0.0, "mask_only": 0.2, "blur": 0.8, "pixelate": 0.9}
    return AuditPart("Leak test", {"leak": {**totals, "clips": {"walk": {"adaptive": clip}}}}, "How it was done.")


def detector(faces: float, persons: float) -> AuditPart:
    found = {"raw": 500.0, "environment": faces, "anonymous": 30.0, "proxies": 70.0}
    return detector_part(
        AuditPart(
            "Detectors", {"detector": {"faces": found, "persons": {"raw": 900.0, "environment": persons}}}, "Table."
        )
    )


def interference(identical: int) -> AuditPart:
    clip = {"frames": 60, "identical": identical, "first_difference": ["faces", 7]}
    return AuditPart(
        "Same", {"interference": {"frames": 60, "identical": identical, "clips": {"walk": clip}}}, "Replayed."
    )


GOOD = [leak(0.0), detector(0.0, 0.0), interference(60)]


def rows(parts: list[AuditPart]) -> dict[str, bool | None]:
    return {row.key: row.reached for row in summary(merged(parts, {}))}


def test_every_key_is_there_and_what_is_null_has_a_reason(tmp_path: Path) -> None:
    reasons = {"inversion": "too few persons", "environment.psnr_db": "never empty"}
    values = merged([*GOOD, AuditPart("Room", {"environment": {"psnr_db": np.nan}}, "")], reasons)
    write(GOOD, values, ABOUT, tmp_path)
    read = json.loads((tmp_path / "report.json").read_text(), parse_constant=pytest.fail)
    for key in KEYS:
        group, name = key.split(".")
        assert name in read[group]
        assert (read[group][name] is None) == (key in read["reasons"])
    assert read["leak"]["adaptive"] == 0.0
    assert read["reasons"]["inversion.psnr_db"] == "too few persons"
    assert read["reasons"]["environment.psnr_db"] == "never empty"
    assert read["clips"]["walk"]["frames"] == 60
    assert len(read["models"]["nanodet"][0]) == 64


def test_criteria_say_what_is_reached_and_what_is_not() -> None:
    good, bad = rows(GOOD), rows([leak(0.012), detector(2.0, 1.0), interference(59)])
    keys = ("leak.adaptive", "detector.faces", "detector.persons", "interference.fraction")
    assert [good[key] for key in keys] == [True] * 4
    assert [bad[key] for key in keys] == [False] * 4
    assert good["environment.psnr_db"] is None  # not measured is neither


@pytest.mark.parametrize(
    ("canonical", "behaviour", "reached"), [(0.25, 0.87, (True, True)), (0.27, 0.85, (False, False))]
)
def test_recognition_is_held_against_chance_and_behaviour_against_raw(
    canonical: float, behaviour: float, reached: tuple[bool, bool]
) -> None:
    named = {"raw": 0.9, "canonical": behaviour, "chance": 0.3}
    part = AuditPart(
        "Who", {"reid": {"raw": 0.8, "canonical": canonical, "chance": 0.2, "behaviour": named, "datasets": {}}}, ""
    )
    found = rows([part])
    assert (found["reid.canonical"], found["reid.behaviour.canonical"]) == reached


def test_losing_cases_are_named_and_fail_the_audit() -> None:
    assert losing(merged(GOOD, {})) == []
    assert not failed(merged(GOOD, {}))
    bad = [leak(0.012), detector(2.0, 0.0), interference(59)]
    lines = "\n".join(losing(merged(bad, {})))
    assert "walk, `adaptive`: 12 of 1000" in lines
    assert "2.0 face(s)" in lines
    assert "first with faces in frame 7" in lines
    for number, part in enumerate(bad):
        assert failed(merged([*GOOD[:number], part, *GOOD[number + 1 :]], {}))


def test_report_for_people_has_a_summary_the_parts_and_their_figures(tmp_path: Path) -> None:
    figure = tmp_path / "leak.png"
    figure.touch()
    part = leak(0.012)
    parts = [AuditPart(part.title, part.values, part.text, [(figure, "Where it leaks")])]
    write(parts, merged(parts, {}), ABOUT, tmp_path)
    text = (tmp_path / "report.md").read_text()
    assert "| Person pixels that leak, mode `adaptive` | 1.2 % | ≤ 1 in 100 000 | **no** |" in text
    assert "| Person pixels that leak, mode `locked` | 0 | 0 | yes |" in text
    assert "![Where it leaks](leak.png)" in text
    assert "| **moves** |" in text
    assert "`budget.epsilon`, `budget.delta`: not part of this audit" in text


def test_budget_is_the_largest_of_all_frames_and_unbounded_where_one_camera_does_not_count() -> None:
    def reports(*spent: float) -> list[PrivacyReport]:
        return [PrivacyReport(0.0, 0.0, 0.0, Verdict.PASS, epsilon=epsilon, delta=1e-5) for epsilon in spent]

    part, reason = budget({"a": reports(1.0, 5.0, 2.0), "b": reports(3.0)})
    assert (part.values["budget"]["epsilon"], part.values["budget"]["delta"], reason) == (5.0, 1e-5, None)
    part, reason = budget({"a": reports(1.0), "b": reports(-1.0)})
    assert part.values["budget"]["epsilon"] is None
    assert reason is not None
    assert "poses left raw" in part.text
