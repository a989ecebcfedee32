"""Inspects an environment picture before it leaves: detects persons and faces in the exact bytes that would be sent.

It is a second line of defence after the background model, which has already withheld every pixel that is not confirmed.
It uses no tracks and no earlier frames.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np

from privcam_core.detection.contrast import normalize_contrast
from privcam_core.detection.face_detector import FaceDetector
from privcam_core.detection.person_detector import PersonDetector, input_size, suppress_non_maxima
from privcam_core.detection.tiling import TiledDetector, grid
from privcam_core.detection.turned_detection import TurnedDetector
from privcam_core.images.environment import decode_environment
from privcam_core.types.arrays import BoolArray, Box, Image, Region
from privcam_core.types.boxes import iou, pixel_region
from privcam_core.types.perception import TURNED, Detections

Kind = Literal["person", "face"]

# Side of the input of the face network that runs on tiles, in px.
_FACE_INPUT_PX = 192
# Boxes with this IoU show the same object. Not more than the IoU of `suppress_non_maxima`, so that every box lies in a
# box that is reported.
_SAME_OBJECT_IOU = 0.5


@dataclass(frozen=True)
class SensitiveDetection:
    """A person or a face detected in a picture that is about to leave.

    box: px, within the picture. score: of the detector, in [0, 1]. confirmed_fraction: fraction of the box that the
    picture shows; 0 where all of it is withheld. The detector also reacts to withheld regions in the shape of a person;
    then about half of the box is confirmed background around that region.
    """

    kind: Kind
    box: Box
    score: float
    confirmed_fraction: float


@dataclass(frozen=True)
class InspectionSettings:
    """Sensitivity of the inspection. The thresholds were chosen on one half of a set of rooms and people, and are low:
    a false detection withholds a piece of furniture, a missed one may show a person.

    Every detector runs on the whole picture and on grids of tiles. person_score, tile_score, face_score: score
    thresholds for persons in the whole picture, for persons in tiles, and for faces. person_grids, face_grids: tiles
    per side of each level. turned_score, turned_grids: for persons in the picture and its tiles turned by 90 degrees to
    both sides and by 180 degrees; people who lie are detected there. It is the lowest score that refuses no more of the
    empty rooms by day than the upright tiles do: turned furniture scores up to 0.6. Only the full-range face detector
    runs on tiles: the short-range one detects no further faces there, and many false ones. person_scale, face_scale: a
    level that enlarges the picture more than this, in px of the network's input per px of the picture, is skipped: it
    shows no more detail, and furniture gives false
    detections.
    """

    person_score: float = 0.18
    tile_score: float = 0.35
    person_grids: tuple[int, ...] = (2, 4)
    person_scale: float = 3.5
    turned_score: float = 0.45
    turned_grids: tuple[int, ...] = (1, 2)
    face_score: float = 0.5
    face_grids: tuple[int, ...] = (2, 4)
    face_scale: float = 1.1


class EgressInspector:
    """Detects persons and faces in the environment pictures of one camera. Call it from one thread at a time."""

    def __init__(self, settings: InspectionSettings | None = None, *, threads: int = 1) -> None:
        """Load the models. threads: processor cores. Raises: ModelError where a model is missing."""
        self._settings = settings or InspectionSettings()
        person_threshold = min(self._settings.person_score, self._settings.tile_score)
        # The picture is normalised as a whole: a dark tile of a lit room keeps its contrast.
        persons = PersonDetector(person_threshold, threads, normalize=False)
        self._persons = TiledDetector(persons)
        self._turned_persons = [TiledDetector(TurnedDetector(persons, turn)) for turn in TURNED]
        self._faces = TiledDetector(FaceDetector("face_full", self._settings.face_score, threads))
        self._near_faces = TiledDetector(FaceDetector("face_short", self._settings.face_score, threads))

    def inspect(self, png: bytes) -> list[SensitiveDetection]:
        """Return the persons, then the faces, in the exact bytes of an environment PNG, highest score first.

        Blanking a detection gives another picture, which must be inspected again, as more may be detected in it. A
        detection with a confirmed_fraction near 0 is the blanked box itself and remains.
        Raises: ValueError for bytes that are no environment picture.
        """
        return self.inspect_pixels(*decode_environment(png))

    def inspect_pixels(self, plate: Image, confirmed: BoolArray) -> list[SensitiveDetection]:
        """Return the detections in an environment. plate: (H, W, 3) uint8 BGR. confirmed: (H, W) bool."""
        plate = normalize_contrast(plate, confirmed)
        persons = _with_confirmed_fraction("person", self._detect_persons(plate, confirmed), confirmed)
        faces = _with_confirmed_fraction("face", self._detect_faces(plate, confirmed), confirmed)
        return persons + faces

    def _detect_persons(self, plate: Image, confirmed: BoolArray) -> Detections:
        settings = self._settings
        found = [self._persons.detect(plate, _confirmed_tiles(1, confirmed)).with_min_score(settings.person_score)]
        for per_side in settings.person_grids:
            tiles = _confirmed_tiles(per_side, confirmed)
            if tiles and _scale(tiles[0], input_size(*_size(tiles[0]))) <= settings.person_scale:
                found.append(self._persons.detect(plate, tiles).with_min_score(settings.tile_score))
        for per_side in settings.turned_grids:
            tiles = _confirmed_tiles(per_side, confirmed)
            found += [
                turned.detect(plate, tiles).with_min_score(settings.turned_score) for turned in self._turned_persons
            ]
        return _merge(found)

    def _detect_faces(self, plate: Image, confirmed: BoolArray) -> Detections:
        settings = self._settings
        whole = _confirmed_tiles(1, confirmed)
        found = [self._faces.detect(plate, whole), self._near_faces.detect(plate, whole)]
        for per_side in settings.face_grids:
            tiles = _confirmed_tiles(per_side, confirmed)
            if tiles and _scale(tiles[0], (_FACE_INPUT_PX, _FACE_INPUT_PX)) <= settings.face_scale:
                found.append(self._faces.detect(plate, tiles))
        return _merge(found)


def _confirmed_tiles(per_side: int, confirmed: BoolArray) -> list[Region]:
    """Return the tiles of a grid that hold at least one confirmed pixel."""
    return [
        (x0, y0, x1, y1)
        for x0, y0, x1, y1 in grid(confirmed.shape[0], confirmed.shape[1], per_side)
        if confirmed[y0:y1, x0:x1].any()
    ]


def _size(tile: Region) -> tuple[int, int]:
    return tile[3] - tile[1], tile[2] - tile[0]


def _scale(tile: Region, network: tuple[int, int]) -> float:
    """Return px of a network's input of (height, width) px per px of a tile."""
    height, width = _size(tile)
    return min(network[0] / height, network[1] / width)


def _merge(found: list[Detections]) -> Detections:
    """Return the best box of each group that shows one object, grown around the boxes of the whole group."""
    boxes, scores = np.concatenate([d.boxes for d in found]), np.concatenate([d.scores for d in found])
    best = suppress_non_maxima(boxes, scores)
    grown = best.boxes.copy()
    for row, same in enumerate(iou(best.boxes, boxes) >= _SAME_OBJECT_IOU):
        grown[row, :2], grown[row, 2:] = boxes[same, :2].min(axis=0), boxes[same, 2:].max(axis=0)
    return Detections(grown, best.scores)


def _with_confirmed_fraction(kind: Kind, found: Detections, confirmed: BoolArray) -> list[SensitiveDetection]:
    detections = []
    for box, score in zip(found.boxes, found.scores, strict=True):
        x0, y0, x1, y1 = pixel_region(box, *confirmed.shape)
        if x1 > x0 and y1 > y0:
            fraction = float(confirmed[y0:y1, x0:x1].mean())
            inside = (float(x0), float(y0), float(x1), float(y1))
            detections.append(SensitiveDetection(kind, inside, float(score), fraction))
    return detections
