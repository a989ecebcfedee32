"""Reports the privacy budget of the poses from the privacy reports of Ω."""

from collections.abc import Mapping, Sequence
from typing import Any

from privcam_anonymization.accountant import WINDOW_S, epsilon
from privcam_audit.acceptance_criteria import epsilon_text
from privcam_audit.audit_part import AuditPart
from privcam_core.types.omega import PrivacyReport

_TEXT = """\
Poses leave with Gaussian noise, one new keyframe every few tenths of a second and the same for everybody in sight.
The accountant counts the keyframes of the last {window:g} s. The largest budget that any frame carried:

| clip or camera | ε | δ |
|---|---|---|
{rows}

What it covers: the noise on the released numbers of a pose. If all poses of one person in the window were replaced by
any others, what was published could be told apart from what would have been published only as well as (ε, δ) allows.
{scale}

What it does not cover: which keypoints are seen, how many subjects there are and when they come and go, their numbers
and layers, the picture of the room, z beyond the poses in it, and whether somebody is recognised over several
windows.
"""
_SCALE = (
    "With an ε of 1 two persons are hard to tell apart for anybody; **from some tens on it guarantees nothing**, and"
    " the table has to be read so. To hide one movement behind any other takes noise through which a fall is not seen"
    " either. What noise and the standard body do against recognition is measured, not guaranteed: see"
    " re-identification."
)


def budget(
    reports: Mapping[str, Sequence[PrivacyReport]], full: tuple[float, int, float] | None = None
) -> tuple[AuditPart, str | None]:
    """Return the largest budget of all frames, and why there is none if so.

    reports: of each clip or camera. full: sensitivity, keyframes in a window and δ, to say what a window full of
    people comes to; None where the settings are not known.
    """
    clips = {name: max(own, key=lambda report: report.epsilon) for name, own in reports.items() if own}
    counted = {name: worst for name, worst in clips.items() if worst.epsilon >= 0}
    # One camera without accounting has no bound, so neither has the whole.
    bounded = bool(counted) and all(report.epsilon >= 0 for own in reports.values() for report in own)
    worst = max(counted.values(), key=lambda report: report.epsilon) if bounded else None
    found: dict[str, Any] = {
        "epsilon": worst.epsilon if worst else None,
        "delta": worst.delta if worst else None,
        "window_s": WINDOW_S,
        "clips": {name: {"epsilon": worst.epsilon, "delta": worst.delta} for name, worst in counted.items()},
    }
    scale = _SCALE
    if full is not None:
        found["full_window_epsilon"] = epsilon(*full)
        scale = (
            f"A window in which somebody is seen all the time comes to ε = {found['full_window_epsilon']:,.0f}. "
            + scale
        )
    rows = [
        f"| {name} | {epsilon_text(worst.epsilon)} | {worst.delta:g} |"
        if worst.epsilon >= 0
        else f"| {name} | no accounting: poses left raw | |"
        for name, worst in clips.items()
    ]
    text = _TEXT.format(window=WINDOW_S, rows="\n".join(rows), scale=scale)
    reason = None if worst else "poses left without accounting (raw), or there was no frame"
    return AuditPart("Budget of the poses", {"budget": found}, text), reason
