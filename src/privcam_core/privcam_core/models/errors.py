"""The error of this package."""


class ModelError(RuntimeError):
    """A model cannot be fetched, imported, verified or loaded. The message says what, where, and what to do."""
