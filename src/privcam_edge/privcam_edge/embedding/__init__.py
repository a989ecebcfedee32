"""Encodes the anonymous frame to the vector z."""
