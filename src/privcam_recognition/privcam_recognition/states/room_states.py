"""Collects the states of one room that last. Which of them is an alarm, where and when, is a rule of the site."""

from collections.abc import Iterator, Sequence

from privcam_core.events.event_tracker import ActiveEvent
from privcam_recognition.rules.long_lie import LongLie
from privcam_recognition.states.bed_exit import BedExitDetector
from privcam_recognition.states.motionless import Motionless
from privcam_recognition.states.occupancy import Occupancy
from privcam_recognition.states.out_of_sight import OutOfSight
from privcam_recognition.states.view import View
from privcam_recognition.states.wandering import Wandering
from privcam_recognition.subject_history import Subject


class RoomStates:
    """The states of one camera."""

    def __init__(self) -> None:
        self._occupancy = Occupancy()
        self._out_of_sight = OutOfSight()
        self._wandering = Wandering()
        self._bed_exits = BedExitDetector()
        self._motionless: dict[Subject, Motionless] = {}

    def update(
        self,
        seconds: float,
        views: Sequence[View],
        known: Sequence[Subject],
        *,
        risen: Sequence[LongLie],
        must_be_occupied: bool,
        unseen_people: int,
    ) -> Iterator[tuple[object, Sequence[ActiveEvent]]]:
        """Yield each owner of events with those that hold now, none where they are over.

        views: who is in view. known: these and those who were lost a moment ago. risen: places where somebody who lay
        was seen to rise in this frame. must_be_occupied: somebody lies there out of sight, or the camera cannot see.
        unseen_people: see the privacy report.
        """
        must_be = must_be_occupied or unseen_people > 0
        yield self._occupancy, self._occupancy.update(seconds, views, must_be=must_be)
        yield self._out_of_sight, self._out_of_sight.update(seconds, unseen_people)
        yield self._wandering, self._wandering.update(seconds, views)
        for ended in self._bed_exits.update(seconds, risen, views):
            yield ended, []
        for one in self._bed_exits.active:
            yield one, [one.event(seconds)]
        for subject in [one for one in self._motionless if one not in known]:
            yield self._motionless.pop(subject), []
        for view in views:
            motionless = self._motionless.setdefault(view.subject, Motionless())
            yield motionless, motionless.update(seconds, view)
