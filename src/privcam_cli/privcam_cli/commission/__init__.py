"""`./privcam commission`."""
