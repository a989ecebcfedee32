"""The picture format of the environment, and nothing of what it shows."""
