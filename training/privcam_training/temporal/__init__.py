"""The temporal model: what one subject does, from the last seconds of its pose and box."""
