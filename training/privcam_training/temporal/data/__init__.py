"""Published skeletons as training data."""
