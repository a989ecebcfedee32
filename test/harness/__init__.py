"""Helpers that several system tests use."""
