"""Rooms that are drawn, not filmed, for tests of what the cloud shows."""
