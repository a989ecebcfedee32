"""Runs the differential leak test on the edge with its default settings, in all modes."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from privcam_audit import edge_runs
from privcam_audit.audit_part import AuditPart
from privcam_audit.leakage.differential import Eraser, differential
from privcam_audit.leakage.person_labels import Labels
from privcam_audit.perception_recording import Recording
from privcam_privacy.eraser import Published
from privcam_privacy.plates.approved import ApprovedPlate

MODES = ("adaptive", "locked", "mask_only")


def leak(
    clips: Sequence[tuple[Recording, Labels, Sequence[Published]]],
    out: Path,
    threads: int,
    say: Callable[[str], None],
) -> tuple[AuditPart, dict[str, str]]:
    """Return the part, and why values of it are null, by dotted key.

    clips: each with its labels and what left of it in mode adaptive, which is not computed again.
    """
    kept = {recording.name: left for recording, _, left in clips}
    plates: dict[str, ApprovedPlate | None] = {}
    no_plate: dict[str, str] = {}

    def make(mode: str, recording: Recording, labels: Labels, run: str) -> Eraser:
        say(f"leak: {recording.name}, {mode}, {run}")
        if mode == "locked":
            if recording.name not in plates:
                try:
                    plates[recording.name] = edge_runs.commission(recording, labels, threads)
                except edge_runs.NoPlate as error:
                    plates[recording.name], no_plate[recording.name] = None, str(error)
                    say(f"leak: {recording.name}, locked: {error}; nothing is shown")
            plate = plates[recording.name]
            if plate is None:
                return edge_runs.WithholdingEdge(recording.shape).erase
            return edge_runs.eraser("locked", threads, plate)
        if mode == "adaptive" and run == "original":
            return edge_runs.replay(kept[recording.name])
        return edge_runs.eraser("mask_only" if mode == "mask_only" else "adaptive", threads)

    part = differential([(recording, labels) for recording, labels, _ in clips], make, MODES, out)
    found, reasons = part.values["leak"], {}
    found["commissioned"] = {name: float(plate.confirmed.mean()) if plate else 0.0 for name, plate in plates.items()}
    found["not_commissioned"] = no_plate
    if not found["labelled_pixels"]:
        reasons["leak"] = "nobody is labelled in these clips"
    elif not any(plates.values()):
        found["locked"] = None
        reasons["leak.locked"] = "no clip shows the empty room long enough to commission a plate: nothing was shown"
    visible = {name: modes["adaptive"]["confirmed_fraction"] for name, modes in found["clips"].items()}
    return replace(part, text=part.text + _text(visible, found["commissioned"])), reasons


def _text(visible: Mapping[str, float], plates: Mapping[str, float]) -> str:
    rows = "\n".join(
        f"| {name} | {100 * fraction:.0f} % | {100 * plates[name]:.0f} % |" for name, fraction in visible.items()
    )
    return (
        "\nFor `locked` a plate was commissioned from the frames of the same clip in which nobody is labelled; nothing"
        " that resembles a person was approved. What shows nothing leaks nothing, so 0"
        " means little where little is shown:\n\n| clip | fraction of the picture that `adaptive` shows, on average |"
        f" fraction that the plate of `locked` shows |\n|---|---|---|\n{rows}\n"
    )
