"""Colours of all figures."""

import matplotlib as mpl

mpl.use("Agg")
from matplotlib import pyplot as plt

__all__ = ["BLUE", "GREEN", "GREY", "LINE_COLOURS", "ORANGE", "plt"]

BLUE, ORANGE, GREEN, GREY = "#2b6cb0", "#dd6b20", "#2f855a", "#a0aec0"
# Twenty colours for lines, the ten strong ones first.
LINE_COLOURS = [plt.get_cmap("tab20")(index) for index in (*range(0, 20, 2), *range(1, 20, 2))]
