"""From Ω to a picture of it."""
