"""Measures whether the camera sees well enough to be relied on."""
