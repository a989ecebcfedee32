"""Measures whether pixels of people leave the edge, against labels."""
