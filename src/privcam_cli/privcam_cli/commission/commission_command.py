"""`./privcam commission`: makes the plate of an empty room, lets the operator approve it, and stores it.

Exit code: 0 approved and stored, 1 not (rejected, or waiting for --approve), 2 wrong use.
"""

import argparse
import os
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from privcam_cli.commission.commission_recording import record
from privcam_cli.commission.commission_sheet import draw, explain
from privcam_core.detection.inspection import EgressInspector
from privcam_core.images.environment import decode_environment
from privcam_core.models import ModelError
from privcam_core.output_folder import output_folder
from privcam_core.process_protection import protect_process
from privcam_core.source_credentials import read_credentials
from privcam_core.storage import plates_folder, write_private
from privcam_core.storage_key import StorageKey
from privcam_core.types.arrays import Box
from privcam_core.types.identifiers import camera_id_error, is_camera_id
from privcam_privacy.plates.approved import ApprovedPlate
from privcam_privacy.plates.approved_states import DAY, state_folder_of
from privcam_privacy.plates.commissioning import Commissioning, CommissionSettings
from privcam_privacy.plates.pending import PendingPlate
from privcam_privacy.plates.plate_inspection import inspect_plate
from privcam_privacy.plates.plate_records import PlateRejected
from privcam_sources.container_source import require_readable
from privcam_sources.errors import SourceError, SourceLost
from privcam_sources.source_spec import parse

APPROVED, NOT_APPROVED = 0, 1
SHEET = "plate.png"


@dataclass(frozen=True)
class Decision:
    """Decision of the operator. open: numbers of regions without a person, to be confirmed. blank: to stay blank."""

    approved: bool
    open: frozenset[int] = frozenset()
    blank: frozenset[int] = frozenset()


def parse_decision(text: str) -> Decision | None:
    """Parse `r`, `a`, or `a 1,-3`: region 1 is opened, region 3 stays blank. None: not understood."""
    text = text.strip().lower()
    if text in ("r", "reject"):
        return Decision(False)
    found = re.fullmatch(r"a(?:pprove)?((?:[\s,]+-?\d{1,3})*)", text)
    if found is None:
        return None
    numbers = [int(number) for number in re.findall(r"-?\d+", found[1])]
    return Decision(True, frozenset(n for n in numbers if n > 0), frozenset(-n for n in numbers if n < 0))


def main(argv: Sequence[str]) -> int:
    """Run the command; return the exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    if not is_camera_id(options.camera_id):
        parser.error(f"--camera-id: {camera_id_error(options.camera_id)}")
    if not options.operator:
        parser.error("--operator: say who approves the plate; the name is stored with it")
    if (options.source is None) == (options.approve is None):
        parser.error("give either --source SOURCE to make a plate, or --approve DIGEST to approve the last one")
    if options.approve and options.approve_region:
        parser.error("--approve-region: goes with --source: the room is recorded again with these regions in it")
    if options.source is not None and options.blank_region:
        parser.error("--blank-region: goes with --approve DIGEST")
    if not options.seconds > 0 or options.delay < 0:
        parser.error("--seconds has to be above 0 and --delay not below")
    try:
        folder = state_folder_of(plates_folder(), options.camera_id, options.state)
        if options.approve:
            return _approve_stored(folder, options)
        return _commission(folder, options)
    except (PlateRejected, SourceError, SourceLost, ModelError, ValueError, OSError) as error:
        _say(str(error))
    except KeyboardInterrupt:
        _say("interrupted; nothing was stored")
    return NOT_APPROVED


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="privcam commission", description="Take a picture of the empty room and approve it."
    )
    parser.add_argument("--camera-id", required=True, help="which camera, as in the launch files")
    parser.add_argument("--source", help="camera index or /dev/videoN, rtsp:// or http:// URL, or a video file")
    parser.add_argument("--source-credentials", help="file of mode 600 with user:password of the stream")
    parser.add_argument(
        "--state", default=DAY, help="state of the room that is commissioned, e.g. lamp or night (default day)"
    )
    parser.add_argument("--seconds", type=float, default=20.0, help="longest time to watch the room (default 20)")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds in which to leave the room first")
    parser.add_argument("--out", type=output_folder, help="folder for the sheet (default out/commission/CAMERA_ID)")
    parser.add_argument(
        "--operator",
        default=os.environ.get("USER") or os.environ.get("LOGNAME"),
        help="name of the person who approves (default: the user)",
    )
    parser.add_argument("--approve", metavar="DIGEST", help="approve the plate of the last run, with this digest")
    parser.add_argument(
        "--approve-region",
        type=int,
        action="append",
        default=[],
        metavar="N",
        help="region N of the last plate is a thing and no person: record again and show it (can be repeated)",
    )
    parser.add_argument(
        "--blank-region",
        type=int,
        action="append",
        default=[],
        metavar="N",
        help="with --approve: region N, where a person was followed, is to stay blank (can be repeated)",
    )
    return parser


def _commission(folder: Path, options: argparse.Namespace) -> int:
    protect_process()
    spec = parse(options.source, read_credentials(options.source_credentials) if options.source_credentials else None)
    if spec.kind == "file":
        require_readable(spec)
    declared = _declared(folder, options.camera_id, options.approve_region)
    sheet = (options.out or Path("out/commission") / options.camera_id).absolute() / SHEET
    inspector = EgressInspector()

    def inspect(picture: npt.NDArray[np.uint8], confirmed_mask: npt.NDArray[np.bool_]) -> list[Box]:
        return [region.box for region in inspector.inspect_pixels(picture, confirmed_mask)]

    commissioning = Commissioning(options.camera_id, CommissionSettings(max_s=options.seconds), declared)
    _say("watching the room; no person may be in it")
    record(spec, commissioning, options.delay, _say)
    pending = commissioning.make_pending(inspect, time.time_ns())
    _show(pending, sheet)
    if not sys.stdin.isatty():
        pending.save(folder, StorageKey.open())
        _say_how_to_approve(pending, options.state)
        return NOT_APPROVED
    return _ask(commissioning, pending, sheet, folder, options.operator)


def _declared(folder: Path, camera_id: str, numbers: Sequence[int]) -> npt.NDArray[np.bool_] | None:
    """Return the mask of the regions `numbers` of the last pending plate and of those that were opened before."""
    if not numbers:
        return None
    last = PendingPlate.load(folder, camera_id, StorageKey.open())
    known = {region.number for region in last.regions}
    if not set(numbers) <= known:
        there = ", ".join(map(str, sorted(known))) or "none"
        raise ValueError(f"--approve-region: the last plate of {camera_id} has the regions {there}")
    before = {region.number for region in last.regions if region.decision == "shown"}
    return np.isin(last.labels, sorted(before | set(numbers)))


def _show(pending: PendingPlate, sheet: Path) -> None:
    sheet.parent.mkdir(parents=True, exist_ok=True)
    write_private(sheet, bytes(cv2.imencode(".png", draw(pending))[1]))
    _, confirmed_mask = decode_environment(pending.png)
    print(f"\nThe plate of camera {pending.camera_id}, {confirmed_mask.mean():.1%} of the picture:\n  {sheet}\n")
    for region in pending.regions:
        print(f"  {region.number:2d}  {explain(region)}")
    if not pending.regions:
        print("  No region needs a review. Look at the picture all the same.")
    print(f"\ndigest {pending.digest}", flush=True)


def _say_how_to_approve(pending: PendingPlate, state: str) -> None:
    undecided = [str(region.number) for region in pending.undecided()]
    chosen = "" if state == DAY else f" --state {state}"
    base = f"./privcam commission --camera-id {pending.camera_id}{chosen}"
    print("Not approved yet. Look at the picture. If a person is in it, empty the room and record again.")
    if undecided:
        print(f"A subject was tracked in region {', '.join(undecided)}. If it was a person, record again.")
    hidden = [region.number for region in pending.regions if not region.confirmed_fraction]
    if hidden:
        print(f"To show a region in which there is no person:  {base} --source SOURCE --approve-region {hidden[0]}")
    blank = "".join(f" --blank-region {number}" for number in undecided)
    print(f"To approve the plate as it is:  {base} --approve {pending.digest} --operator NAME{blank}")


def _ask(commissioning: Commissioning, pending: PendingPlate, sheet: Path, folder: Path, operator: str) -> int:
    """Ask until the plate is approved or rejected. The sheet of a rejected plate is removed."""
    blank: frozenset[int] = frozenset()
    try:
        while True:
            undecided = ", ".join(str(region.number) for region in pending.undecided(blank))
            if undecided:
                print(f"A subject was tracked in region {undecided}. If it was a person: reject, empty the room.")
                print("If it is a thing, name it to show it; with a minus it stays blank (a 1,-3).")
            decision = parse_decision(input("approve as shown (a), approve with regions shown (a 1,3), reject (r)? "))
            if decision is None:
                print("not understood")
                continue
            if not decision.approved:
                break
            try:
                picture, confirmed_mask = decode_environment(pending.png)
                opened = commissioning.open_regions(pending, picture, confirmed_mask, decision.open)
                if opened.undecided(blank | decision.blank):
                    continue
                plate = opened.approve(operator, time.time_ns(), blank | decision.blank)
            except ValueError as error:
                print(error)
                continue
            pending, blank = opened, blank | decision.blank
            if decision.open:
                # The sheet did not show these pixels so far: it is drawn again, and the operator is asked once more.
                _show(pending, sheet)
                continue
            return _store(plate, folder)
    except EOFError:
        pass
    sheet.unlink(missing_ok=True)
    _say("rejected; nothing was stored")
    return NOT_APPROVED


def _approve_stored(folder: Path, options: argparse.Namespace) -> int:
    pending = PendingPlate.load(folder, options.camera_id, StorageKey.open())
    if options.approve.lower() != pending.digest:
        _say(f"--approve: the last plate of {options.camera_id} has the digest {pending.digest}, not this one")
        return NOT_APPROVED
    code = _store(pending.approve(options.operator, time.time_ns(), options.blank_region), folder)
    pending.remove(folder)
    return code


def _store(plate: ApprovedPlate, folder: Path) -> int:
    inspect_plate(plate, EgressInspector().inspect_pixels)
    own = plate.save(folder, StorageKey.open())
    _say(
        f"approved by {plate.approved_by}: {own}; the eraser uses it from its next start on (evidence commissioned); "
        "mode locked shows the plate of the state day as it is"
    )
    return APPROVED


def _say(text: str) -> None:
    print(f"[commission] {text}", file=sys.stderr, flush=True)
