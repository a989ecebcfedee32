"""Runs the edge over pictures while they come: how many people it finds, and what the privacy engine would show."""

import threading
from contextlib import AbstractContextManager
from dataclasses import dataclass
from types import TracebackType

import numpy as np

from privcam_core.models import ModelError
from privcam_core.types.arrays import Image
from privcam_core.types.omega import Omega, SyncKey
from privcam_edge.edge_pipeline import EdgePipeline
from privcam_privacy.background.engine_settings import EngineSettings

_CAMERA_ID = "check"


@dataclass(frozen=True)
class PeopleCheck:
    """What the edge makes of the pictures.

    pictures: how many. mean_people, max_people: subjects in one. excluded_fraction: of the picture, around people, the
    mean. shown_fraction: confirmed background after the last one.
    """

    pictures: int
    mean_people: float
    max_people: int
    excluded_fraction: float
    shown_fraction: float


class PeopleWatch(AbstractContextManager["PeopleWatch"]):
    """Takes pictures to the end of a block, and looks at them in a thread of its own, with evidence `transit`.

    It holds one picture that waits and one that is looked at. Both are overwritten with zeros, also where a newer one
    takes the place of the first. `problem` says why people could not be looked for, empty for nothing.
    """

    def __init__(self) -> None:
        self.problem = ""
        self._changed = threading.Condition()
        self._waiting: tuple[int, Image] | None = None
        self._busy, self._ending = False, False
        self._people: list[int] = []
        self._excluded: list[float] = []
        self._shown = 0.0
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="people")

    def __enter__(self) -> "PeopleWatch":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._changed:
            self._ending = True
            self._changed.notify_all()
        self._thread.join()
        if self._error is not None and error is None:
            raise self._error

    def offer(self, stamp_ns: int, picture: Image, *, wait: bool) -> None:
        """Take a picture and overwrite it in the end. wait: for the one before it, where that is not yet looked at."""
        with self._changed:
            if wait:
                self._changed.wait_for(lambda: self._waiting is None and not self._busy)
            old, self._waiting = self._waiting, (stamp_ns, picture)
            self._changed.notify_all()
        if old is not None:
            old[1].fill(0)

    @property
    def found(self) -> PeopleCheck | None:
        """What was found in all pictures; None without one. After the block."""
        if not self._people:
            return None
        excluded = float(np.mean(self._excluded))
        return PeopleCheck(len(self._people), float(np.mean(self._people)), max(self._people), excluded, self._shown)

    def _run(self) -> None:
        pipeline: EdgePipeline | None = None
        try:
            # The models are loaded while the first pictures come.
            pipeline = EdgePipeline(settings=EngineSettings(evidence="transit"))
        except ModelError as error:
            self.problem = str(error)
        while (picture := self._next()) is not None:
            try:
                if pipeline is not None and self._error is None:
                    self._note(pipeline.process(SyncKey(_CAMERA_ID, len(self._people) + 1, picture[0]), picture[1]))
            except Exception as error:
                self._error = error
            finally:
                picture[1].fill(0)

    def _next(self) -> tuple[int, Image] | None:
        """Return the picture that waits, as soon as there is one; None at the end of the block."""
        with self._changed:
            self._busy = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._waiting is not None or self._ending)
            picture, self._waiting = self._waiting, None
            self._busy = True
            return picture

    def _note(self, omega: Omega) -> None:
        self._people.append(len(omega.poses))
        self._excluded.append(omega.privacy.excluded_fraction)
        self._shown = 1.0 - omega.privacy.withheld_fraction
