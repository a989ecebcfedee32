"""Fuzzes both ends of the link with malformed Ω and compares the results with an independent test oracle."""
