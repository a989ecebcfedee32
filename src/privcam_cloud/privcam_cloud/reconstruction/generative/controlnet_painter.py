"""Runs a Stable Diffusion pipeline with a ControlNet that paints people into a room. The only module with `diffusers`.

Import it only when the generative backend is chosen: it needs requirements/generative.txt, and loads for seconds.
"""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import torch
from diffusers import ControlNetModel, StableDiffusionControlNetInpaintPipeline
from diffusers.utils import logging as progress
from PIL import Image

from privcam_cloud.reconstruction.generative.generative_backend import NotShown, Reason
from privcam_cloud.reconstruction.generative.generative_settings import is_folder
from privcam_cloud.reconstruction.generative.pose_conditioning import NEGATIVE_PROMPT, PoseCondition
from privcam_core.models import ModelError
from privcam_core.types import arrays
from privcam_core.types.arrays import BoolArray, Float32Array

# The longer side of the picture that is generated, px: what Stable Diffusion 1.5 and 2.1 are good at. More takes
# longer by its square. Sides are multiples of 64: the autoencoder halves three times, the network three times more.
LONGEST_SIDE, _MULTIPLE = 640, 64
_GUIDANCE_SCALE = 7.5
_CONTROL_STRENGTH = 1.0
# Of the noise around the people, which is not shown.
_ROOM_SEED = 0
# What PyTorch says where the memory of the machine, and not of the graphics card, is too small.
_NO_MEMORY = re.compile("not enough memory|can't allocate memory", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Task:
    """What is to be painted. environment: (H, W, 3) uint8 BGR. paintable: (H, W) bool, where to paint.

    control: (h, w, 3) uint8 BGR of `generated_size`, the skeletons on black. conditions: each with its seed.
    """

    environment: arrays.Image
    paintable: BoolArray
    control: arrays.Image
    conditions: Sequence[PoseCondition]
    prompt: str


def generated_size(height: int, width: int) -> tuple[int, int]:
    """Return the height and width in px at which the model paints a picture of that size."""
    scale = min(1.0, LONGEST_SIDE / max(height, width))
    tall, wide = (max(_MULTIPLE, round(side * scale / _MULTIPLE) * _MULTIPLE) for side in (height, width))
    return tall, wide


class ControlNetPainter:
    """The model G of Eq. 10, Î = G(Ī, A′): a ControlNet inpainting pipeline."""

    def __init__(self, model: str, control: str = "", *, steps: int) -> None:
        """Load a pipeline of the kind of Stable Diffusion 1.5 or 2.1, made for inpainting or not.

        model: its folder, or its id on the hub. control: the same of a ControlNet for skeletons; empty if the pipeline
        has it already. steps: of denoising. A folder is never looked for on the network. Weights are read from
        safetensors only: other formats can run code.

        Raises: ModelError for what is missing or does not fit.
        """
        self._steps = steps
        self.pipeline = _load(model, control)
        self.pipeline.set_progress_bar_config(disable=True)
        self.pipeline.to("cuda" if torch.cuda.is_available() else "cpu")
        # Without a graphics card the model would take all cores: one is for the contour.
        torch.set_num_threads(max((os.cpu_count() or 2) - 1, 1))

    def paint(self, task: Task, check: Callable[[], None]) -> Float32Array:
        """Return what the model paints, (h, w, 3) float32 BGR, [0, 1] unless the model failed. It fills the picture.

        check: called after each step; what it raises stops the work. Raises: MemoryError. NotShown where the
        pipeline's own safety checker fires.
        """

        def step(_pipeline: Any, _step: int, _time: Any, values: dict[str, Any]) -> dict[str, Any]:
            check()
            return values

        height, width = task.control.shape[:2]
        try:
            result = self.pipeline(
                prompt=task.prompt,
                negative_prompt=NEGATIVE_PROMPT,
                image=_picture(task.environment, (height, width)),
                mask_image=Image.fromarray(_resized(task.paintable, (height, width)).astype(np.uint8) * 255),
                control_image=_picture(task.control, (height, width)),
                height=height,
                width=width,
                num_inference_steps=self._steps,
                guidance_scale=_GUIDANCE_SCALE,
                controlnet_conditioning_scale=_CONTROL_STRENGTH,
                latents=self._noise(task.conditions, height, width),
                generator=torch.Generator().manual_seed(_ROOM_SEED),
                callback_on_step_end=step,
                output_type="np",
            )
        except torch.OutOfMemoryError as error:
            torch.cuda.empty_cache()
            raise MemoryError(str(error)) from error
        except RuntimeError as error:
            if _NO_MEMORY.search(str(error)):
                raise MemoryError(str(error)) from error
            raise
        if any(result.nsfw_content_detected or ()):
            raise NotShown(Reason.REFUSED, "the pipeline's own safety checker fired")
        return np.ascontiguousarray(result.images[0][..., ::-1], np.float32)

    def _noise(self, conditions: Sequence[PoseCondition], height: int, width: int) -> torch.Tensor:
        """Return the noise from which the picture is made, (1, C, h, w): that of each condition moves with it."""
        shrink = self.pipeline.vae_scale_factor
        size = height // shrink, width // shrink
        shape = (1, self.pipeline.vae.config.latent_channels, *size)
        noise = _normal(shape, _ROOM_SEED)
        for condition in reversed(conditions):
            tall, wide = condition.body.shape
            left, top = condition.pose.box[0] * size[1] / wide, condition.pose.box[1] * size[0] / tall
            own = torch.roll(_normal(shape, condition.seed), (round(top), round(left)), (2, 3))
            noise = torch.where(torch.from_numpy(_resized(condition.around, size)), own, noise)
        return noise.to(self.pipeline.device, self.pipeline.unet.dtype)


def _load(model: str, control: str) -> Any:
    progress.disable_progress_bar()  # a node has no terminal
    dtype = torch.float16 if torch.cuda.is_available() else torch.float32
    try:
        parts = {}
        if control:
            parts["controlnet"] = ControlNetModel.from_pretrained(
                control, dtype=dtype, use_safetensors=True, local_files_only=is_folder(control)
            )
        return StableDiffusionControlNetInpaintPipeline.from_pretrained(
            model, dtype=dtype, use_safetensors=True, local_files_only=is_folder(model), **parts
        )
    except Exception as error:  # each library below has exceptions of its own
        names = " with ".join(name for name in (model, control) if name)
        reason = f"{type(error).__name__}: {str(error).strip() or 'no reason given'}".splitlines()[0]
        raise ModelError(
            f"{names}: cannot be loaded as a ControlNet inpainting pipeline: {reason}; "
            "docs/generative.md says which models fit"
        ) from error


def _normal(shape: tuple[int, ...], seed: int) -> torch.Tensor:
    # Drawn on the processor, so that every graphics card gets the same.
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def _picture(bgr: arrays.Image, size: tuple[int, int]) -> Image.Image:
    resized = cv2.resize(bgr, size[::-1], interpolation=cv2.INTER_AREA)
    return Image.fromarray(cv2.cvtColor(resized, cv2.COLOR_BGR2RGB))


def _resized(mask: BoolArray, size: tuple[int, int]) -> BoolArray:
    """Return the mask at (height, width) px; a pixel of which any part was True is True."""
    return np.asarray(cv2.resize(mask.astype(np.float32), size[::-1], interpolation=cv2.INTER_AREA) > 0)
