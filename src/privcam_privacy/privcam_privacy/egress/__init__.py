"""Inspection of what is about to leave."""
