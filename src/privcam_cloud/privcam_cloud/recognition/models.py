"""The recognition models that can be chosen by name."""

from collections.abc import Callable

from privcam_cloud.recognition.rules.rule_model import RuleModel
from privcam_cloud.recognition.temporal.temporal_model import TemporalModel
from privcam_core.events.scene_report import Recognizer

# The first is the default.
MODELS: dict[str, Callable[[], Recognizer]] = {"temporal": TemporalModel, "rules": RuleModel}
