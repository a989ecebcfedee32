"""The parts of `./privcam bench`, one module each."""
