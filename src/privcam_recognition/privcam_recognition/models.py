"""The recognition models that can be chosen by name."""

from collections.abc import Callable

from privcam_core.events.scene_report import Recognizer
from privcam_recognition.rules.rule_model import RuleModel
from privcam_recognition.temporal.temporal_model import TemporalModel

# The first is the default.
MODELS: dict[str, Callable[[], Recognizer]] = {"temporal": TemporalModel, "rules": RuleModel}
