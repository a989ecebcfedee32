"""Says of a camera, a stream or a file whether it can be used: `./privcam check`."""
