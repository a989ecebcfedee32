"""Unpacks the sparse tensors of TFLite files."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class DenseLevel:
    """A level in which every one of `size` positions is stored."""

    size: int


@dataclass(frozen=True, eq=False)
class SparseLevel:
    """A level in compressed rows: parent p has the children segments[p] to segments[p + 1], at `indices`."""

    segments: Array
    indices: Array


@dataclass(frozen=True)
class SparseFormat:
    """How values are laid out: a tree with one level for each entry of `order`.

    order: which axis a level walks along. Axes from the tensor's rank on are the insides of blocks; `block_axes` says
    for each of them which axis of the tensor is cut into blocks.
    """

    order: Sequence[int]
    block_axes: Sequence[int]
    levels: Sequence[DenseLevel | SparseLevel]


def densify(values: Array, shape: Sequence[int], layout: SparseFormat) -> Array:
    """Return the dense tensor, zero where nothing is stored.

    values: (N,) in the order of the tree's leaves. shape: of the result.
    """
    leaf: Array = np.zeros(1, np.int64)  # position of each path within the level reached so far
    paths: Array = np.zeros((1, 0), np.int64)  # the coordinate chosen in each level
    for level in layout.levels:
        if isinstance(level, DenseLevel):
            counts = np.full(len(leaf), level.size)
            starts = leaf * level.size
        else:
            starts = level.segments[leaf].astype(np.int64)
            counts = level.segments[leaf + 1] - starts
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        leaf = np.repeat(starts, counts) + within
        chosen = within if isinstance(level, DenseLevel) else level.indices[leaf].astype(np.int64)
        paths = np.column_stack([np.repeat(paths, counts, axis=0), chosen])
    dense = np.zeros(shape, values.dtype)
    dense[tuple(_coordinates(paths, len(shape), layout))] = values[leaf]
    return dense


def _coordinates(paths: Array, rank: int, layout: SparseFormat) -> Array:
    """Return (rank, N) coordinates in the tensor from the coordinates in the levels."""
    coordinates = np.zeros((rank, len(paths)), np.int64)
    block_sizes = np.ones(rank, np.int64)
    inside = np.zeros_like(coordinates)
    for axis, level, chosen in zip(layout.order, layout.levels, paths.T, strict=True):
        if axis < rank:
            coordinates[axis] = chosen
            continue
        cut = layout.block_axes[axis - rank]
        inside[cut] = chosen
        if not isinstance(level, DenseLevel):
            raise ValueError("the inside of a block has to be stored densely")
        block_sizes[cut] = level.size
    return np.asarray(coordinates * block_sizes[:, None] + inside)
