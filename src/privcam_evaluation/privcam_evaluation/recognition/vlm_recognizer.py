"""A vision-language model as a recogniser that can be judged: it is asked as often as on a gateway, and waited for."""

import sys
from collections import Counter

from privcam_core.events.scene_report import SceneReport
from privcam_core.types.omega import Omega
from privcam_core.types.time import NS_PER_S
from privcam_vlm.backends.model_process import ModelProcess
from privcam_vlm.vlm_errors import NoAnswer
from privcam_vlm.vlm_query import Interview
from privcam_vlm.vlm_scene import Scene
from privcam_vlm.vlm_settings import Settings


class VlmRecognizer:
    """Answers for one clip; `process` may answer for many, one after the other.

    Asked once in `vlm_period_s` of camera time, whatever time an answer takes within its budget. Where there is none,
    the reason is counted in `failures` and nothing is said.
    """

    def __init__(self, settings: Settings, process: ModelProcess, failures: Counter[str]) -> None:
        self._settings, self._process, self._failures = settings, process, failures
        self._scene, self._interview = Scene(), Interview(settings)
        self._next_ns = 0

    @property
    def model_id(self) -> str:
        """Where it runs and its name."""
        return self._settings.model_id

    def update(self, omega: Omega) -> SceneReport:
        """Return what the model says of this Ω, nothing where it is not asked or does not answer."""
        moment = self._scene.take(omega)
        nothing = SceneReport(omega.key, [], [], "", self.model_id)
        if omega.key.stamp_ns < self._next_ns:
            return nothing
        self._next_ns = omega.key.stamp_ns + round(NS_PER_S * self._settings.vlm_period_s)
        try:
            return self._interview.ask(self._process, moment)
        except NoAnswer as error:
            self._failures[error.reason.value] += 1
            if not self._process.alive:
                raise
            print(f"[eval] vlm: frame {omega.key.frame_id}: {error}", file=sys.stderr, flush=True)
            return nothing
