"""Detects persons and faces: in frames, in pictures before they leave, and in generated pictures."""
