"""The rule model: a recogniser that a person can read."""
