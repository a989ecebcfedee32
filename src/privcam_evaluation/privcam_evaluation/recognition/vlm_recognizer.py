"""Wraps a vision-language model as a recogniser for `privcam eval`, queried as often as on a gateway."""

import sys
from collections import Counter

from privcam_core.events.scene_report import SceneReport
from privcam_core.types.omega import Omega
from privcam_core.types.time import NS_PER_S
from privcam_vlm.backends.model_process import ModelProcess
from privcam_vlm.scene_history import SceneHistory
from privcam_vlm.vlm_errors import NoReply
from privcam_vlm.vlm_query import VlmQuery
from privcam_vlm.vlm_settings import Settings


class VlmRecognizer:
    """Recognises the events of one clip; one `process` may serve many clips, one after the other.

    The model is queried once per `vlm_period_s` of camera time, whatever time an answer takes within its budget. The
    reason of a missing answer is counted in `failures`, and the report is empty.
    """

    def __init__(self, settings: Settings, process: ModelProcess, failures: Counter[str]) -> None:
        self._settings, self._process, self._failures = settings, process, failures
        self._history, self._query = SceneHistory(), VlmQuery(settings)
        self._next_ns = 0

    @property
    def model_id(self) -> str:
        """Backend and name of the model."""
        return self._settings.model_id

    def update(self, omega: Omega) -> SceneReport:
        """Return the report of the model on this Ω, an empty one where it is not queried or gives no answer."""
        moment = self._history.add(omega)
        nothing = SceneReport(omega.key, [], [], "", self.model_id)
        if omega.key.stamp_ns < self._next_ns:
            return nothing
        self._next_ns = omega.key.stamp_ns + round(NS_PER_S * self._settings.vlm_period_s)
        try:
            return self._query.ask(self._process, moment)
        except NoReply as error:
            self._failures[error.reason.value] += 1
            if not self._process.alive:
                raise
            print(f"[eval] vlm: frame {omega.key.frame_id}: {error}", file=sys.stderr, flush=True)
            return nothing
