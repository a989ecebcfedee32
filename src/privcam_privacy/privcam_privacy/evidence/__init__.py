"""Evidence of absence: what may confirm that a cell shows background. Not having seen anybody is no evidence."""
