"""Draws the sheet for the operator: the plate as it would be sent, with the regions to review."""

import cv2
import numpy as np
import numpy.typing as npt

from privcam_core.images.environment import decode_environment
from privcam_core.types.arrays import Image
from privcam_privacy.plates.pending import PendingPlate
from privcam_privacy.plates.plate_records import Region

MIN_WIDTH_PX = 960
LINE_PX, MARGIN_PX, BADGE_PX = 30, 16, 13
FONT = cv2.FONT_HERSHEY_SIMPLEX
BACKGROUND, INK, WHITE = (255, 255, 255), (60, 50, 40), (255, 255, 255)
# Blank regions in red; confirmed regions that need a review in orange.
RED, ORANGE = (40, 40, 210), (0, 120, 235)
HATCH, HATCH_EVERY_PX = (165, 165, 165), 14


def draw(pending: PendingPlate) -> Image:
    """Return the sheet, (H, W, 3) uint8 BGR. It holds no pixel that is not in the pending plate."""
    plate, confirmed_mask = decode_environment(pending.png)
    scale = max(1, -(-MIN_WIDTH_PX // plate.shape[1]))
    picture = cv2.resize(plate, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    _hatch(picture, _scaled(confirmed_mask.astype(np.uint8), scale) == 0)
    for region in pending.regions:
        _outline(picture, _scaled((pending.labels == region.number).astype(np.uint8), scale), region)
    for region in pending.regions:
        _badge(picture, _middle(pending.labels == region.number, scale), region)
    lines = _legend(pending, float(confirmed_mask.mean()))
    strip = np.full((LINE_PX * 2 + MARGIN_PX, picture.shape[1], 3), BACKGROUND, np.uint8)
    _text(strip, f"Camera {pending.camera_id}: this is all that would be sent of the room.", 0, 0.75)
    if pending.undecided():
        warning = "STOP: a subject was in sight. Empty the room and record again, unless it was a thing."
        _text(strip, warning, 1, 0.6, RED)
    else:
        _text(strip, "There must be no person in it. Hatched grey is not sent.", 1, 0.6)
    below = np.full((LINE_PX * len(lines) + MARGIN_PX, picture.shape[1], 3), BACKGROUND, np.uint8)
    for row, (about, text) in enumerate(lines):
        _text(below, text, row, 0.55, indent=0 if about is None else 2 * BADGE_PX + 10)
        if about is not None:
            _badge(below, (MARGIN_PX + BADGE_PX, row * LINE_PX + LINE_PX // 2 + 6), about)
    return np.vstack([strip, picture, below])


def explain(region: Region) -> str:
    """Return the line of text about one region."""
    parts = "all" if region.confirmed_fraction > 0.99 else f"{region.confirmed_fraction:.0%}"
    fate = "is not shown" if not region.confirmed_fraction else f"{parts} of it is shown"
    ask = "; decide: a thing, or a person?" if region.needs_decision else ""
    if region.decision:
        ask = "; the operator says: no person" if region.decision == "shown" else "; to stay blank"
    return f"{region.reason.text}: {fate} ({region.fraction:.1%} of the picture){ask}"


def _legend(pending: PendingPlate, confirmed: float) -> list[tuple[Region | None, str]]:
    lines: list[tuple[Region | None, str]] = [(region, explain(region)) for region in pending.regions]
    if not lines:
        lines.append((None, "No region needs a review. Look at the picture all the same."))
    lines.append((None, f"{confirmed:.1%} of the picture is shown. Digest {pending.digest[:16]}..."))
    return lines


def _scaled(mask: Image, scale: int) -> Image:
    return np.asarray(cv2.resize(mask, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST), np.uint8)


def _hatch(picture: Image, blank: npt.NDArray[np.bool_]) -> None:
    """Draw oblique lines where nothing is shown, so that it does not look like a grey wall."""
    rows, columns = np.indices(blank.shape)
    picture[blank & ((rows + columns) % HATCH_EVERY_PX < 2)] = HATCH


def _colour(region: Region) -> tuple[int, int, int]:
    return ORANGE if region.confirmed_fraction > 0.5 else RED


def _outline(picture: Image, mask: Image, region: Region) -> None:
    joined = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones((15, 15), np.uint8))
    contours, _ = cv2.findContours(joined, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(picture, contours, -1, _colour(region), 3 if _colour(region) == RED else 2, cv2.LINE_AA)


def _middle(mask: npt.NDArray[np.bool_], scale: int) -> tuple[int, int]:
    """Return the point inside of the mask that is farthest from its border: x, y in px of the sheet's picture."""
    # A border of zeros, so that the edge of the picture counts as one.
    depth = cv2.distanceTransform(np.pad(mask.astype(np.uint8), 1), cv2.DIST_L2, 3)
    row, column = np.unravel_index(int(np.argmax(depth)), depth.shape)
    return (int(column) - 1) * scale, (int(row) - 1) * scale


def _badge(picture: Image, middle: tuple[int, int], region: Region) -> None:
    height, width = picture.shape[:2]
    x = min(max(middle[0], BADGE_PX + 1), width - BADGE_PX - 2)
    y = min(max(middle[1], BADGE_PX + 1), height - BADGE_PX - 2)
    cv2.circle(picture, (x, y), BADGE_PX + 2, WHITE, cv2.FILLED, cv2.LINE_AA)
    cv2.circle(picture, (x, y), BADGE_PX, _colour(region), cv2.FILLED, cv2.LINE_AA)
    (wide, high), _ = cv2.getTextSize(str(region.number), FONT, 0.55, 2)
    cv2.putText(picture, str(region.number), (x - wide // 2, y + high // 2), FONT, 0.55, WHITE, 2, cv2.LINE_AA)


def _text(
    strip: Image, text: str, row: int, size: float, colour: tuple[int, int, int] = INK, *, indent: int = 0
) -> None:
    place = (MARGIN_PX + indent, row * LINE_PX + LINE_PX // 2 + 12)
    cv2.putText(strip, text, place, FONT, size, colour, 1, cv2.LINE_AA)
