"""Draws the confusion matrix and the calibration curve of a recogniser."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
from matplotlib.figure import Figure

from privcam_evaluation.recognition.event_matching import KINDS


def confusion_figure(matrix: npt.NDArray[np.int64], path: Path) -> None:
    """Draw the confusion matrix: rows are the true kinds, columns the reported ones."""
    figure = Figure(figsize=(4.6, 4.0), layout="constrained")
    axes = figure.subplots()
    axes.imshow(matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1), cmap="Blues", vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(matrix):
        dark = count > 0.5 * max(1, matrix[row].sum())
        axes.text(column, row, str(count), ha="center", va="center", color="white" if dark else "black")
    axes.set_xticks(range(len(KINDS)), KINDS)
    axes.set_yticks(range(len(KINDS)), KINDS)
    axes.set_xlabel("reported")
    axes.set_ylabel("true")
    axes.set_title("clips")
    figure.savefig(path, dpi=120)


def calibration_figure(bins: Sequence[tuple[float, float, int]], path: Path) -> None:
    """Draw the frequency of falls over their predicted probability. bins: see `scores.reliability`."""
    figure = Figure(figsize=(4.6, 4.0), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color="0.7", linewidth=1)
    axes.plot([reported_kind for reported_kind, _, _ in bins], [true for _, true, _ in bins], marker="o")
    for reported_kind, true, count in bins:
        axes.annotate(str(count), (reported_kind, true), textcoords="offset points", xytext=(4, -10), fontsize=7)
    axes.set_xlabel("predicted probability of a fall")
    axes.set_ylabel("fraction of falls")
    axes.set_title("subjects in frames, with their number")
    figure.savefig(path, dpi=120)
