"""Generates a picture of a scene: pose conditions, model, composition, safety check."""

from collections.abc import Callable

from privcam_cloud.reconstruction.generative.generative_backend import (
    GenerativeBackend,
    NotShown,
    Picture,
    Reason,
    compose,
)
from privcam_cloud.reconstruction.generative.generative_settings import GenerativeSettings
from privcam_cloud.reconstruction.generative.pose_conditioning import (
    draw_skeletons,
    make_pose_conditions,
    make_prompt,
    paintable,
)
from privcam_cloud.reconstruction.generative.safety_check import SafetyCheck
from privcam_cloud.reconstruction.reconstruction_input import ReconstructionInput
from privcam_core.models import ModelError


class GenerationPipeline:
    """Generates pictures. Not for several threads at once."""

    def __init__(self, settings: GenerativeSettings) -> None:
        """Load the model and the detectors. Raises: NotShown for what is missing."""
        try:
            # Here and not above: a cloud with the contour alone runs without these libraries.
            from privcam_cloud.reconstruction.generative import controlnet_painter

            self._diffusion = controlnet_painter
            self.painter = controlnet_painter.ControlNetPainter(settings.model, settings.control, steps=settings.steps)
            self._safety_check = SafetyCheck()
        except ImportError as error:
            raise NotShown(Reason.NO_MODEL, f"{error}; install requirements/generative.txt") from error
        except ModelError as error:
            raise NotShown(Reason.NO_MODEL, str(error)) from error

    def generate(self, scene: ReconstructionInput, check: Callable[[], None]) -> Picture:
        """Return the picture of a scene. check: raises NotShown where it has taken too long. Raises: NotShown."""
        height, width = scene.confirmed_mask.shape
        conditions = make_pose_conditions(scene.poses, scene.events, height, width)
        if conditions is None:
            raise NotShown(Reason.NO_POSTURE)
        if not conditions:
            raise NotShown(Reason.NOBODY)
        where = paintable(conditions, scene.confirmed_mask)
        tall, wide = self._diffusion.generated_size(height, width)
        control = draw_skeletons(conditions, (tall, wide), (wide / width, tall / height))
        prompt = make_prompt(conditions, scene.events)
        task = self._diffusion.Task(scene.environment, where, control, conditions, prompt)
        picture = compose(scene, self.painter.paint(task, check), where, conditions)
        check()
        fault = self._safety_check.find_fault(picture, scene.environment, scene.confirmed_mask, where, conditions)
        if fault:
            raise NotShown(Reason.REFUSED, fault)
        return Picture(scene, picture, where)


def start_backend(settings: GenerativeSettings) -> GenerativeBackend:
    """Return a running backend. It loads its models in its own thread."""
    return GenerativeBackend(
        lambda: GenerationPipeline(settings),
        period_s=settings.period_s,
        budget_s=settings.budget_s,
        fresh_s=settings.fresh_s,
    )
