"""One question after another to a model about one camera: from a moment to a report."""

import time

from privcam_core.events.scene_report import SceneReport
from privcam_vlm.backends.model_process import ModelProcess
from privcam_vlm.protocol.answer import parse_answer
from privcam_vlm.protocol.prompt import make_question
from privcam_vlm.reports import Reports
from privcam_vlm.vlm_errors import NoAnswer, Reason
from privcam_vlm.vlm_scene import Moment, Room
from privcam_vlm.vlm_settings import Settings


class Interview:
    """Keeps the picture of the room and the numbers of happenings; the model may be another one each time."""

    def __init__(self, settings: Settings) -> None:
        self._budget_s = settings.vlm_budget_s
        self._room, self._reports = Room(), Reports(settings.model_id)

    def ask(self, model: ModelProcess, moment: Moment) -> SceneReport:
        """Return what the model says of a moment, which is newer than the one before.

        Raises NoAnswer where it says nothing that can be used within `vlm_budget_s`.
        """
        deadline = time.monotonic() + self._budget_s
        text = model.answer(make_question(moment, self._room.plate(moment)), deadline)
        over = time.monotonic() - deadline
        if over > 0:
            # What was so long ago is worse than nothing on a screen that shows the present.
            raise NoAnswer(Reason.LATE, f"the answer came {over:.1f} s after the budget")
        return self._reports.report(moment.omega.key, parse_answer(text, moment.omega))
