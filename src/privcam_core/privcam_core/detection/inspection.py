"""The last look before an environment picture leaves: is there a person or a face in the exact bytes to be sent?

It is a second line of defence, apart from the clean plate, which has already withheld every pixel that was not proven
to be background. It looks for people only, and knows nothing of tracks or of earlier frames.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from privcam_core.detection.face_detector import FaceDetector
from privcam_core.detection.person_detector import Detector, best_of_each, input_size
from privcam_core.detection.tiling import Region, TileSearch, grid
from privcam_core.images.environment import decode_environment
from privcam_core.types.arrays import BoolArray, Box, Image
from privcam_core.types.boxes import iou, pixel_region
from privcam_core.types.perception import Detections

Kind = Literal["person", "face"]

# Side of the input of the face network that sees tiles, in px.
_FACE_INPUT = 192
# Boxes that share this much of their union show the same. Not more than what `best_of_each` takes for the same, so
# that every box lies in one that is reported.
_SAME = 0.5


@dataclass(frozen=True)
class Finding:
    """Something that looks like a person or a face in a picture that was about to leave.

    box: px, within the picture. score: of the detector, in [0, 1]. valid_share: share of the box that the picture
    shows; 0 where all of it is withheld already. The detector fires on holes in the shape of a person as well, and
    then about half of the box is shown: the room around the hole.
    """

    kind: Kind
    box: Box
    score: float
    valid_share: float


@dataclass(frozen=True)
class InspectionSettings:
    """How sensitive the inspection is. The scores were chosen on one half of a set of rooms and people, rather low:
    what is found by mistake costs a piece of furniture, what is missed may be a person.

    Every detector looks at the whole picture and then at grids of tiles. person_score, tile_score, face_score: least
    scores for persons in the whole picture, for persons in tiles, and for faces.
    person_grids, face_grids: tiles per side of each level. Only the face detector of the full range sees tiles: the one
    of the short range finds no face there that the other does not, and much that is none.
    person_scale, face_scale: a level that shows the picture larger than this, in px of the network's input per px of
    the picture, is left out: there is no more detail to see, and furniture begins to look like people.
    """

    person_score: float = 0.18
    tile_score: float = 0.35
    person_grids: tuple[int, ...] = (2, 4)
    person_scale: float = 3.5
    face_score: float = 0.5
    face_grids: tuple[int, ...] = (2, 4)
    face_scale: float = 1.1


class EgressInspector:
    """Finds persons and faces in the environment pictures of one camera. Call it from one thread at a time."""

    def __init__(self, settings: InspectionSettings | None = None, *, threads: int = 1) -> None:
        """Load the models. threads: processor cores. Raises: ModelError where a model is missing."""
        self._settings = chosen = settings or InspectionSettings()
        self._persons = TileSearch(Detector(min(chosen.person_score, chosen.tile_score), threads))
        self._faces = TileSearch(FaceDetector("face_full", chosen.face_score, threads))
        self._near_faces = TileSearch(FaceDetector("face_short", chosen.face_score, threads))

    def inspect(self, png: bytes) -> list[Finding]:
        """Return what is found in the exact bytes of an environment PNG: persons, then faces, best first.

        Blanking what was found makes another picture, which needs another look, as more may be found in it. A finding
        with a valid_share near 0 is the blanked box itself and stays.
        Raises: ValueError for bytes that are no environment picture.
        """
        return self.look(*decode_environment(png))

    def look(self, plate: Image, confirmed: BoolArray) -> list[Finding]:
        """Return what is found in an environment. plate: (H, W, 3) uint8 BGR. confirmed: (H, W) bool."""
        persons = _findings("person", self._find_persons(plate, confirmed), confirmed)
        return persons + _findings("face", self._find_faces(plate, confirmed), confirmed)

    def _find_persons(self, plate: Image, confirmed: BoolArray) -> Detections:
        chosen = self._settings
        found = [self._persons(plate, _shown(1, confirmed)).at_least(chosen.person_score)]
        for per_side in chosen.person_grids:
            tiles = _shown(per_side, confirmed)
            if tiles and _scale(tiles[0], input_size(*_size(tiles[0]))) <= chosen.person_scale:
                found.append(self._persons(plate, tiles).at_least(chosen.tile_score))
        return _join(found)

    def _find_faces(self, plate: Image, confirmed: BoolArray) -> Detections:
        chosen = self._settings
        whole = _shown(1, confirmed)
        found = [self._faces(plate, whole), self._near_faces(plate, whole)]
        for per_side in chosen.face_grids:
            tiles = _shown(per_side, confirmed)
            if tiles and _scale(tiles[0], (_FACE_INPUT, _FACE_INPUT)) <= chosen.face_scale:
                found.append(self._faces(plate, tiles))
        return _join(found)


def _shown(per_side: int, confirmed: BoolArray) -> list[Region]:
    """Return the tiles of a grid that are not only fill."""
    return [
        (x0, y0, x1, y1)
        for x0, y0, x1, y1 in grid(confirmed.shape[0], confirmed.shape[1], per_side)
        if confirmed[y0:y1, x0:x1].any()
    ]


def _size(tile: Region) -> tuple[int, int]:
    return tile[3] - tile[1], tile[2] - tile[0]


def _scale(tile: Region, network: tuple[int, int]) -> float:
    """Return how large a network's input of (height, width) px shows a tile, in px per px."""
    height, width = _size(tile)
    return min(network[0] / height, network[1] / width)


def _join(found: list[Detections]) -> Detections:
    """Return the best one of each group that shows the same, its box grown around those of the whole group."""
    boxes, scores = np.concatenate([d.boxes for d in found]), np.concatenate([d.scores for d in found])
    best = best_of_each(boxes, scores)
    grown = best.boxes.copy()
    for row, same in enumerate(iou(best.boxes, boxes) >= _SAME):
        grown[row, :2], grown[row, 2:] = boxes[same, :2].min(axis=0), boxes[same, 2:].max(axis=0)
    return Detections(grown, best.scores)


def _findings(kind: Kind, found: Detections, confirmed: BoolArray) -> list[Finding]:
    findings = []
    for box, score in zip(found.boxes, found.scores, strict=True):
        x0, y0, x1, y1 = pixel_region(box, *confirmed.shape)
        if x1 > x0 and y1 > y0:
            share = float(confirmed[y0:y1, x0:x1].mean())
            findings.append(Finding(kind, (float(x0), float(y0), float(x1), float(y1)), float(score), share))
    return findings
