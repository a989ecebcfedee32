"""`./privcam models`: fetches, verifies and imports the default models."""
