"""Colours of all figures, and the figure of `./privcam survey`."""

from pathlib import Path

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

__all__ = ["BLUE", "GREEN", "GREY", "LINE_COLOURS", "ORANGE", "plt", "survey_figure"]

BLUE, ORANGE, GREEN, GREY = "#2b6cb0", "#dd6b20", "#2f855a", "#a0aec0"
# Twenty colours for lines, the ten strong ones first.
LINE_COLOURS = [plt.get_cmap("tab20")(index) for index in (*range(0, 20, 2), *range(1, 20, 2))]


def survey_figure(curves: dict[str, list[tuple[float, float]]], path: Path) -> None:
    """Draw the confirmed fraction of the picture over camera time, one line per clip."""
    figure, axes = plt.subplots(figsize=(10, 5.5), layout="constrained")
    axes.set_prop_cycle(color=LINE_COLOURS)
    for name, curve in curves.items():
        if curve:
            axes.plot([s for s, _ in curve], [100 * fraction for _, fraction in curve], label=name)
    axes.set(
        title="fraction of the picture that is confirmed background",
        xlabel="s of camera time since the start",
        ylabel="% of the picture",
        ylim=(0, 102),
    )
    axes.grid(alpha=0.3)
    axes.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.0, 0.5))
    figure.savefig(path, dpi=110)
    plt.close(figure)
