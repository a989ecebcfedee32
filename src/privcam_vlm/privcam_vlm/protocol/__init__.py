"""The prompt for a model, and the replies that are accepted."""
