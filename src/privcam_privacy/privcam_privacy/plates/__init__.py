"""Plates of the empty room that an operator approves, and mode `locked`."""
