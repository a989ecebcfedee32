"""Baselines: other ways to erase people, for comparison."""
