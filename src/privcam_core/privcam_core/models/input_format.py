"""The input format of a model: converts pixels into an input tensor."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

Tensor = npt.NDArray[Any]

_LEVELS = 256


@dataclass(frozen=True)
class PictureFormat:
    """The input tensor of a model.

    shape: (1, 3, H, W) for channels first or (1, H, W, 3) for channels last. type: float32, or int32 for plain pixel
    values. colours: bgr or rgb. mean, std: value = (pixel - mean) / std for each channel, in the order of `colours`.
    """

    shape: tuple[int, int, int, int]
    type: str
    colours: str
    mean: tuple[float, float, float] = (0.0, 0.0, 0.0)
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    _table: npt.NDArray[np.float32] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.shape) != 4 or self.shape[0] != 1 or 3 not in (self.shape[1], self.shape[3]):
            raise ValueError(f"input.shape: {self.shape} is neither (1, 3, H, W) nor (1, H, W, 3)")
        if self.colours not in ("bgr", "rgb"):
            raise ValueError(f"input.colours: {self.colours!r} is neither bgr nor rgb")
        if self.type not in ("float32", "int32"):
            raise ValueError(f"input.type: {self.type!r} is neither float32 nor int32")
        if min(self.std) <= 0:
            raise ValueError(f"input.std: {self.std} is not positive")
        # The value of each pixel level for each channel: looking up is several times faster than computing.
        levels = (np.arange(_LEVELS)[:, None] - np.array(self.mean)) / np.array(self.std)
        object.__setattr__(self, "_table", levels.astype(np.float32).reshape(1, _LEVELS, 3))

    @classmethod
    def from_manifest(cls, fields: Mapping[str, Sequence[Any] | str]) -> "PictureFormat":
        """Return the format that a manifest describes. Raises TypeError or ValueError that names the wrong field."""
        return cls(**{key: tuple(value) if isinstance(value, list) else value for key, value in fields.items()})  # type: ignore[arg-type]

    @property
    def channels_first(self) -> bool:
        """Whether the tensor is (1, 3, H, W)."""
        return self.shape[1] == 3

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in px."""
        return self.shape[2:] if self.channels_first else self.shape[1:3]

    def tensor(self, image: npt.NDArray[np.uint8]) -> Tensor:
        """Return (H, W, 3) uint8 BGR pixels as the input tensor. The picture has the size of the input."""
        pixels: Tensor = cv2.cvtColor(image, cv2.COLOR_BGR2RGB) if self.colours == "rgb" else image
        if self.type == "int32":
            values: Tensor = pixels.astype(np.int32)
        else:
            values = cv2.LUT(pixels, self._table)
        if self.channels_first:
            values = np.ascontiguousarray(values.transpose(2, 0, 1))
        return values[None]
