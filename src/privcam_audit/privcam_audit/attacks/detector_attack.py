"""Detector attack: counts the persons and faces that common detectors find in the output of the edge and in raw frames.

The attacker has its own detectors, scores and tiles, apart from those of the inspection in the edge.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import cv2.data
import numpy as np
import numpy.typing as npt

from privcam_audit.audit_part import AuditPart
from privcam_core.detection.face_detector import FaceDetector
from privcam_core.detection.person_detector import PersonDetector, suppress_non_maxima
from privcam_core.detection.tiling import TiledDetector, grid
from privcam_core.types.arrays import Image
from privcam_core.types.boxes import pixel_region
from privcam_core.types.perception import Detections
from privcam_evaluation.plotting import BLUE, GREY, ORANGE, plt

Finder = Callable[[Image], Detections]

# NanoDet at 0.25 finds 87 % of the people of COCO pictures. In tiles things are shown larger than it has learnt them,
# and furniture looks like people more often, so the threshold is higher there.
_PERSON_SCORE, _PERSON_TILE_SCORE = 0.25, 0.45
# The score that BlazeFace is delivered with.
_FACE_SCORE = 0.5
# Four tiles, each 57 % of the picture wide and high.
_TILES_PER_SIDE = 2
# How many windows of a Haar cascade agree on a face: 3 to 6 are usual.
_HAAR_AGREE, _HAAR_STEP, _HAAR_MIN_PX = 5, 1.1, 20
_FRONT, _PROFILE = "haarcascade_frontalface_alt2.xml", "haarcascade_profileface.xml"
# A face found in Ĩ is that of a proxy if the edge drew at least this fraction of its box.
_DRAWN_FRACTION = 0.5
_MAX_CROPS, _CROP_MARGIN, _CROP_HEIGHT_PX = 40, 0.3, 160
_PERSONS = "NanoDet"


@dataclass(frozen=True)
class _Seen:
    """A picture and what each detector found in it."""

    picture: Image
    found: dict[str, Detections]

    @property
    def faces(self) -> Detections:
        """The faces that at least one detector found, each once."""
        return _join([found for name, found in self.found.items() if name != _PERSONS])

    def count(self) -> Counter[str]:
        """Return how much each detector found, and all face detectors together as `faces`."""
        return Counter({name: len(found) for name, found in self.found.items()} | {"faces": len(self.faces)})


class DetectorAttack:
    """Counts what detectors find in raw frames, in environments and in anonymised frames."""

    def __init__(self, threads: int = 1) -> None:
        """Load the detectors. threads: processor cores. Raises: ModelError where a model or a cascade is missing."""
        self._people = _person_finder(threads)
        self._faces = _face_finders(threads)
        self._last: dict[str, _Seen] = {}
        self._counts = {where: Counter[str]() for where in ("raw", "environment", "anonymous", "proxies", "empty")}
        self._frames = self._empty = self._pictures = 0
        self._crops: list[tuple[str, Image]] = []

    def observe(self, raw: Image, environment: Image, anonymous: Image, *, clip: str = "", empty: bool = False) -> None:
        """Attack one frame. All pictures are (H, W, 3) uint8 BGR of one size.

        raw: what the camera saw. environment: Ī as it was sent, with the fill where it is withheld. anonymous: Ĩ, drawn
        on exactly this environment. clip: names the cut-outs that are saved. empty: nobody is in the raw frame, so
        what is found in it is a false alarm of the attacker.
        """
        self._frames += 1
        seen, _ = self._see("raw", raw, people=True)
        self._counts["raw"] += seen.count()
        if empty:
            self._empty += 1
            self._counts["empty"] += seen.count()
        seen, new = self._see("environment", environment, people=True)
        self._counts["environment"] += seen.count()
        if new:
            self._pictures += 1
            self._keep_crops(seen, clip)
        drawn = (anonymous != environment).any(axis=2)
        if drawn.any():  # otherwise Ĩ is this environment, which was searched
            seen, _ = self._see("anonymous", anonymous, people=False)
        elsewhere = _Seen(anonymous, {name: _outside(found, drawn) for name, found in seen.found.items()})
        self._counts["anonymous"] += elsewhere.count()
        self._counts["proxies"] += seen.count() - elsewhere.count()

    def part(self, out: Path) -> AuditPart:
        """Return figures and text. Writes a diagram, and cut-outs of what was found in environments, into `out`."""
        if not self._frames:
            raise ValueError("detector attack: no frame was observed")
        table = {
            name: {
                where: round(1000 * self._counts[where][name] / frames, 2)
                for where, frames in self._places().items()
                if name != _PERSONS or where not in ("anonymous", "proxies")
            }
            for name in ("faces", _PERSONS, *self._faces)
        }
        values = {
            "frames": self._frames,
            "environments": self._pictures,
            "empty_frames": self._empty,
            "faces": table["faces"],
            "persons": table[_PERSONS],
            "faces_by_detector": {name: table[name] for name in self._faces},
        }
        figures = [(_diagram(table, out / "detectors.png"), "Found by detectors per 1000 frames")]
        figures += [(_save(picture, out / f"found_{i:02}.png"), name) for i, (name, picture) in enumerate(self._crops)]
        return AuditPart("Detectors of persons and faces", {"detector": values}, self._text(table), figures)

    def _places(self) -> dict[str, int]:
        """Return the kinds of pictures, and the number of frames of each."""
        places = dict.fromkeys(("raw", "environment", "anonymous", "proxies"), self._frames)
        return places | ({"empty": self._empty} if self._empty else {})

    def _see(self, where: str, picture: Image, *, people: bool) -> tuple[_Seen, bool]:
        """Return what is in the picture, and whether it differs from the last one of this kind."""
        last = self._last.get(where)
        if last is not None and np.array_equal(last.picture, picture):
            return last, False
        found = {name: find(picture) for name, find in self._faces.items()}
        if people:
            found[_PERSONS] = self._people(picture)
        self._last[where] = _Seen(picture.copy(), found)
        return self._last[where], True

    def _keep_crops(self, seen: _Seen, clip: str) -> None:
        """Keep cut-outs of what was found in a picture that left, for a person to check."""
        height, width = seen.picture.shape[:2]
        for name, found in seen.found.items():
            for box, score in zip(found.boxes, found.scores, strict=True):
                margin = _CROP_MARGIN * (box[2:] - box[:2])
                x0, y0, x1, y1 = pixel_region([*(box[:2] - margin), *(box[2:] + margin)], height, width)
                if len(self._crops) < _MAX_CROPS and x1 > x0 and y1 > y0:
                    of_clip = f" of {clip}" if clip else ""
                    title = f"{name}, score {score:.2f}, at {x0},{y0} in an environment{of_clip}"
                    self._crops.append((title, seen.picture[y0:y1, x0:x1].copy()))

    def _text(self, table: dict[str, dict[str, float]]) -> str:
        heads = {
            "raw": "raw frames",
            "environment": "environment Ī",
            "anonymous": "Ĩ beside the proxies",
            "proxies": "Ĩ on a proxy",
            "empty": "raw frames without people",
        }
        places = [where for where in heads if where in self._places()]
        rows = [f"| found per 1000 frames | {' | '.join(heads[where] for where in places)} |"]
        rows.append("|---|" + "---:|" * len(places))
        for name, row in table.items():
            label = {"faces": "**faces, by any detector**", _PERSONS: "**persons** (NanoDet)"}.get(name, name)
            rows.append(f"| {label} | {' | '.join(f'{row[where]:.1f}' if where in row else '' for where in places)} |")
        alarms = (
            f"The last column holds {self._empty} raw frames that are known to show nobody: what is found there is a "
            "false alarm, and the same piece of furniture gives the same alarm in the environment. "
            if self._empty
            else "No frame was known to show nobody, so false alarms of the detectors could not be told apart. "
        )
        crops = f"{len(self._crops)} cut-outs of what was found in environments are saved beside this report. "
        return (
            f"Common detectors searched {self._frames} frames: raw, as the environment that was sent with them "
            f"({self._pictures} different pictures), and as the anonymised frame Ĩ.\n\n"
            + "\n".join(rows)
            + f"\n\nPersons: NanoDet at score {_PERSON_SCORE} in the whole picture and {_PERSON_TILE_SCORE} in "
            f"{_TILES_PER_SIDE} × {_TILES_PER_SIDE} tiles. Faces: BlazeFace at score {_FACE_SCORE}, the short range on "
            "the whole picture, the full range in tiles as well; OpenCV's Haar cascades for frontal and profile faces "
            f"with {_HAAR_AGREE} agreeing windows. The edge inspects environments with the same networks before it "
            "sends them, so zero for NanoDet and BlazeFace shows that this inspection works; Haar is not part of it. "
            "A face on a proxy is one that the edge drew: at least half of its box differs from the environment. "
            + alarms
            + (crops if self._crops else "Nothing was found in any environment. ")
            + "A person or face found in two parts counts twice. What these detectors do not see is not known to be "
            "absent; the differential leak test is stricter.\n"
        )


def _person_finder(threads: int) -> Finder:
    detector = TiledDetector(PersonDetector(_PERSON_SCORE, threads))

    def find(picture: Image) -> Detections:
        height, width = picture.shape[:2]
        whole = detector.detect(picture, grid(height, width, 1))
        tiled = detector.detect(picture, grid(height, width, _TILES_PER_SIDE))
        return _join([whole, tiled.with_min_score(_PERSON_TILE_SCORE)])

    return find


def _face_finders(threads: int) -> dict[str, Finder]:
    """Return all face detectors of the attacker by name."""

    def blaze(model: str, *grids: int) -> Finder:
        detector = TiledDetector(FaceDetector(model, _FACE_SCORE, threads))

        def find(picture: Image) -> Detections:
            height, width = picture.shape[:2]
            return _join([detector.detect(picture, grid(height, width, per_side)) for per_side in grids])

        return find

    front, profile = _cascade(_FRONT), _cascade(_PROFILE)
    return {
        "BlazeFace short range": blaze("face_short", 1),
        "BlazeFace full range": blaze("face_full", 1, _TILES_PER_SIDE),
        "Haar frontal": lambda picture: _haar(front, picture),
        "Haar profile": lambda picture: _join([_haar(profile, picture), _haar(profile, picture, mirrored=True)]),
    }


def _cascade(name: str) -> cv2.CascadeClassifier:
    path = Path(cv2.data.haarcascades) / name
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: OpenCV's cascade is not there; install the PyPI package opencv-python-headless"
        )
    return cv2.CascadeClassifier(str(path))


def _haar(cascade: cv2.CascadeClassifier, picture: Image, *, mirrored: bool = False) -> Detections:
    """Return the faces of a cascade, all with score 1 because it gives none. mirrored: searches the other profile."""
    grey = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    min_size = (_HAAR_MIN_PX, _HAAR_MIN_PX)
    found = cascade.detectMultiScale(cv2.flip(grey, 1) if mirrored else grey, _HAAR_STEP, _HAAR_AGREE, minSize=min_size)
    boxes = np.array([(x, y, x + w, y + h) for x, y, w, h in found], np.float32).reshape(-1, 4)
    if mirrored:
        boxes[:, [0, 2]] = picture.shape[1] - boxes[:, [2, 0]]
    return Detections(boxes, np.ones(len(boxes), np.float32))


def _outside(found: Detections, drawn: npt.NDArray[np.bool_]) -> Detections:
    """Return the detections that lie mostly on pixels that were not drawn. drawn: (H, W)."""
    regions = [pixel_region(box, *drawn.shape) for box in found.boxes]
    keep = [x1 <= x0 or y1 <= y0 or drawn[y0:y1, x0:x1].mean() < _DRAWN_FRACTION for x0, y0, x1, y1 in regions]
    chosen = np.array(keep, np.bool_)
    return Detections(found.boxes[chosen], found.scores[chosen])


def _join(found: list[Detections]) -> Detections:
    """Return all detections, the best one of each group that shows the same."""
    return suppress_non_maxima(np.concatenate([d.boxes for d in found]), np.concatenate([d.scores for d in found]))


def _save(picture: Image, path: Path) -> Path:
    scale = _CROP_HEIGHT_PX / picture.shape[0]
    larger = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    if not cv2.imwrite(str(path), larger):
        raise OSError(f"{path}: the picture could not be written")
    return path


def _diagram(table: dict[str, dict[str, float]], path: Path) -> Path:
    """Draw what was found per 1000 frames as one row for each kind of detection."""
    figure, axes = plt.subplots(figsize=(9, 3.6), layout="constrained")
    visible = {
        "persons": table[_PERSONS],
        "faces": table["faces"],
    }
    labels = {
        "raw": (GREY, "raw frames"),
        "environment": (ORANGE, "environment Ī"),
        "anonymous": (BLUE, "Ĩ beside proxies"),
    }
    for row, (where, (colour, label)) in enumerate(labels.items()):
        places = [i + (row - 1) * 0.26 for i, values in enumerate(visible.values()) if where in values]
        patches = axes.barh(places, [v[where] for v in visible.values() if where in v], 0.24, color=colour, label=label)
        axes.bar_label(patches, fmt=" %.1f")
    axes.set(title="found by detectors per 1000 frames", yticks=range(len(visible)), yticklabels=list(visible))
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.legend(fontsize=8)
    figure.savefig(path, dpi=110)
    plt.close(figure)
    return path
