"""Evaluates how well tracking preserves identities."""
