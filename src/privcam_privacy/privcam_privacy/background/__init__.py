"""The background model: which pixels are confirmed background, and what they look like."""
