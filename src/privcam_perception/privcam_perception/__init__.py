"""Perception on raw frames: person boxes, tracks, appearance descriptors, keypoints and head orientation."""
