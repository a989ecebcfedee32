"""From a scene to a picture that may be shown: figures, model, composition, review."""

from collections.abc import Callable

from privcam_cloud.reconstruction.generative.generative_backend import (
    GenerativeBackend,
    NotShown,
    Picture,
    Reason,
    compose,
)
from privcam_cloud.reconstruction.generative.generative_settings import GenerativeSettings
from privcam_cloud.reconstruction.generative.pose_conditioning import draw_skeletons, figures_of, paintable, prompt_of
from privcam_cloud.reconstruction.generative.safety_check import Review
from privcam_cloud.reconstruction.scene import Scene
from privcam_core.models import ModelError


class Studio:
    """Makes generated pictures. Call it from one thread at a time."""

    def __init__(self, settings: GenerativeSettings) -> None:
        """Load the model and the detectors. Raises: NotShown for what is missing."""
        try:
            # Here and not above: a cloud with the contour alone runs without these libraries.
            from privcam_cloud.reconstruction.generative import controlnet_painter

            self._diffusion = controlnet_painter
            self.painter = controlnet_painter.ControlNetPainter(settings.model, settings.control, steps=settings.steps)
            self._review = Review()
        except ImportError as error:
            raise NotShown(Reason.NO_MODEL, f"{error}; install requirements/generative.txt") from error
        except ModelError as error:
            raise NotShown(Reason.NO_MODEL, str(error)) from error

    def __call__(self, scene: Scene, check: Callable[[], None]) -> Picture:
        """Return the picture of a scene. check: raises NotShown where it has taken too long. Raises: NotShown."""
        height, width = scene.validity.shape
        figures = figures_of(scene.poses, scene.events, height, width)
        if figures is None:
            raise NotShown(Reason.NO_POSTURE)
        if not figures:
            raise NotShown(Reason.NOBODY)
        where = paintable(figures, scene.validity)
        tall, wide = self._diffusion.generated_size(height, width)
        control = draw_skeletons(figures, (tall, wide), (wide / width, tall / height))
        prompt = prompt_of(figures, scene.events)
        task = self._diffusion.Task(scene.environment, where, control, figures, prompt)
        picture = compose(scene, self.painter(task, check), where, figures)
        check()
        fault = self._review(picture, scene.environment, scene.validity, where, figures)
        if fault:
            raise NotShown(Reason.REFUSED, fault)
        return Picture(scene, picture, where)


def backend_of(settings: GenerativeSettings) -> GenerativeBackend:
    """Return a running backend. It loads its models in its own thread."""
    return GenerativeBackend(
        lambda: Studio(settings),
        period_s=settings.period_s,
        budget_s=settings.budget_s,
        fresh_s=settings.fresh_s,
    )
