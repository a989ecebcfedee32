"""Brings the graph up: launch files, their runner, and what watches a running graph."""
