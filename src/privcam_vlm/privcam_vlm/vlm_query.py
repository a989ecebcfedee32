"""Asks a model about moments of one camera, and makes its replies into reports."""

import time

from privcam_core.events.scene_report import SceneReport
from privcam_vlm.backends.model_process import ModelProcess
from privcam_vlm.protocol.prompt import make_prompt
from privcam_vlm.protocol.reply import parse_reply
from privcam_vlm.reports import Reports
from privcam_vlm.scene_history import EnvironmentPicture, Moment
from privcam_vlm.vlm_errors import NoReply, Reason
from privcam_vlm.vlm_settings import Settings


class VlmQuery:
    """Keeps the picture of the environment and the numbers of events; each query may go to another model process."""

    def __init__(self, settings: Settings) -> None:
        self._budget_s = settings.vlm_budget_s
        self._environment = EnvironmentPicture()
        self._reports = Reports(settings.model_id)

    def ask(self, model: ModelProcess, moment: Moment) -> SceneReport:
        """Return the model's report on a moment, which is newer than the one before.

        Raises NoReply where there is no usable reply within `vlm_budget_s`.
        """
        deadline = time.monotonic() + self._budget_s
        text = model.reply(make_prompt(moment, self._environment.decode(moment)), deadline)
        over = time.monotonic() - deadline
        if over > 0:
            # A report on the past would mislead on a screen that shows the present.
            raise NoReply(Reason.LATE, f"the reply came {over:.1f} s after the budget")
        return self._reports.report(moment.omega.key, parse_reply(text, moment.omega))
