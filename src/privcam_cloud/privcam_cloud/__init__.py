"""The cloud of the privacy camera: from Ω to what happened, and to a picture of it."""
