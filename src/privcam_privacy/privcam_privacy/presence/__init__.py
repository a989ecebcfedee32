"""Presences: what moved in and was not seen to leave is still there, whether or not a network detects it."""
