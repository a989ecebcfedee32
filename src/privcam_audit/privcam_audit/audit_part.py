"""The result of one part of an audit: values for programs, text and figures for people."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class AuditPart:
    """The result of one measurement.

    title: heading in the report. values: goes into report.json, merged with those of the other parts by key, so the
    top-level keys of two parts differ or hold dicts that do. text: Markdown for a data-protection officer, with the
    tables; it says what was done, what came out, and what it does not show. figures: files in the output folder, as
    (path, caption).
    """

    title: str
    values: dict[str, Any]
    text: str
    figures: list[tuple[Path, str]] = field(default_factory=list)
