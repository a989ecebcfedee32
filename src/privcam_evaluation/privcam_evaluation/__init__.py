"""Measures privcam: attacks on privacy, recognition, tracking, speed."""
