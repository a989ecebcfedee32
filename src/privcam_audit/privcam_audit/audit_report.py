"""Writes `report.md` for people and `report.json` for programs, from the parts of an audit."""

import json
import platform
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from importlib.metadata import PackageNotFoundError, version
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np

from privcam_audit.acceptance_criteria import Row, losing, summary
from privcam_audit.audit_part import AuditPart
from privcam_core.models.manifest import load_manifest

# What a report always has, null where it was not measured.
KEYS = (
    *(f"leak.{mode}" for mode in ("adaptive", "locked", "mask_only", "blur", "pixelate")),
    "detector.faces", "detector.persons", "recognition.matches", "inversion.psnr_db", "inversion.mean_picture_psnr_db",
    "reid.raw", "reid.canonical", "reid.chance", "environment.psnr_db", "environment.confirmed_s",
    "interference.fraction", "budget.epsilon", "budget.delta",
)  # fmt: skip
_NOT_CHOSEN = "not part of this audit (--only)"
_SOFTWARE = (
    "privcam_edge",
    "privcam_core",
    "privcam_cli",
    "numpy",
    "opencv-python-headless",
    "onnxruntime",
    "scikit-learn",
)
_HEAD = """\
# Privacy audit

{when}, {what}.

This report says how much of people can be found in the data that leaves the edge, measured with attacks. It holds for
these {things} and these versions; another room, camera or light can be worse. It is no legal advice.

## Summary

| what | value | criterion | reached |
|---|---|---|---|
{rows}
"""


def merged(parts: Sequence[AuditPart], reasons: Mapping[str, str]) -> dict[str, Any]:
    """Return the values of all parts as JSON values, with every one of KEYS; null ones are explained in `reasons`.

    reasons: by dotted key, or by the first part of one.
    """
    values: dict[str, Any] = {}
    for part in parts:
        for name, value in part.values.items():
            if isinstance(value, dict):
                values.setdefault(name, {}).update(value)
            else:
                values[name] = value
    interference = values.get("interference")
    if interference:
        interference["fraction"] = (
            interference["identical"] / interference["frames"] if interference["frames"] else None
        )
    found: dict[str, Any] = _plain(values)
    why = {}
    for key in KEYS:
        group, name = key.split(".")
        if found.setdefault(group, {}).setdefault(name, None) is None:
            why[key] = reasons.get(key) or reasons.get(group) or _NOT_CHOSEN
    found["reasons"] = why
    return found


def write(parts: Sequence[AuditPart], values: Mapping[str, Any], about: Mapping[str, Any], out: Path) -> None:
    """Write both reports into `out`. values: what `merged` returned. about: of each clip or camera."""
    now = datetime.now(timezone.utc).replace(microsecond=0)
    content = {**values, "clips": _plain(about), "date": now.isoformat(), "software": _software(), "models": _models()}
    text = json.dumps(content, indent=2, allow_nan=False, ensure_ascii=False)
    (out / "report.json").write_text(f"{text}\n", encoding="utf-8")
    (out / "report.md").write_text(_markdown(parts, values, about, now, out), encoding="utf-8")


def _markdown(
    parts: Sequence[AuditPart], values: Mapping[str, Any], about: Mapping[str, Any], now: datetime, out: Path
) -> str:
    clips = any("rate_hz" in clip for clip in about.values())
    names = ", ".join(about)
    reasons = values["reasons"]
    visible = [
        row for row in summary(values) if row.value or (row.criterion and clips and _why(row, reasons) != _NOT_CHOSEN)
    ]
    rows = "\n".join(_line(row, reasons) for row in visible)
    text = [
        _HEAD.format(
            when=now.strftime("%d %B %Y, %H:%M UTC"),
            what=f"{len(about)} {'clip' if clips else 'camera'}{'s' if len(about) != 1 else ''}: {names}",
            things="clips" if clips else "recordings of Ω",
            rows=rows,
        )
    ]
    cases = losing(values)
    text.append(
        "### Losing cases\n\n" + ("\n".join(f"- {case}" for case in cases) if cases else "None was found.") + "\n"
    )
    if reasons:
        keys: dict[str, list[str]] = {}
        for key, why in reasons.items():
            keys.setdefault(why, []).append(f"`{key}`")
        lines = "\n".join(f"- {', '.join(group)}: {why}." for why, group in keys.items())
        text.append(f"### Not measured\n\n{lines}\n")
    if clips:
        text.append(_clips(about))
    for part in parts:
        text.append(f"## {part.title}\n\n{part.text.strip()}\n")
        text += [f"![{caption}]({path.relative_to(out).as_posix()})\n\n*{caption}*\n" for path, caption in part.figures]
    software = ", ".join(f"{name} {number}" for name, number in _software().items())
    text.append(
        f"## Versions\n\n{software}. Digests of the models are in report.json, and so are all figures of this report."
        " The audit uses fixed seeds: the same clips, versions and machine give the same figures again.\n"
    )
    return "\n".join(text)


def _line(row: Row, reasons: Mapping[str, str]) -> str:
    value = row.value or f"not measured: {_why(row, reasons)}"
    reached = {True: "yes", False: "**no**", None: "" if not row.criterion else "–"}[row.reached]
    return f"| {row.what} | {value} | {row.criterion or '–'} | {reached} |"


def _why(row: Row, reasons: Mapping[str, str]) -> str:
    group = row.key.split(".")[0]
    of_group = [why for key, why in reasons.items() if key.split(".")[0] == group]
    return reasons.get(row.key) or (of_group or ["not known"])[0]


def _clips(about: Mapping[str, Any]) -> str:
    lines = []
    for name, clip in about.items():
        length, camera = clip["frames"] / clip["rate_hz"], "**moves**" if clip["camera_moves"] else "stands still"
        size = f"{clip['width']}×{clip['height']}"
        lines.append(f"| {name} | {size} | {clip['frames']} | {clip['rate_hz']:g} | {length:.0f} s | {camera} |")
    rows = "\n".join(lines)
    note = (
        "\nprivcam is made for cameras that stand still. What a moving one gives is counted all the same.\n"
        if any(c["camera_moves"] for c in about.values())
        else ""
    )
    head = "| clip | picture | frames audited | frames/s | length | camera, as annotated |\n|---|---|---|---|---|---|\n"
    return f"## Clips\n\n{head}{rows}\n{note}"


def _software() -> dict[str, str]:
    found = {"python": platform.python_version()}
    for name in _SOFTWARE:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def _models() -> dict[str, list[str]]:
    """Return the SHA-256 of the files of every model."""
    manifest = load_manifest()
    return {name: [file.sha256 for file in manifest.entry(name).files] for name in manifest.names}


def _plain(value: Any) -> Any:
    """Return a value as JSON knows it: NumPy's types as Python's, and null for what is not a finite number."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(item) for item in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not isfinite(value):
        return None
    return value
