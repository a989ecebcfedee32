"""Measurements against ground truth that the user brings along; they need the optional packages that they name."""
