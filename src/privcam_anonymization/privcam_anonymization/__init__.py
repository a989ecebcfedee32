"""Pose anonymisation and its privacy budget."""
