"""Reads cameras, streams and video files: the one reader of the whole project."""
