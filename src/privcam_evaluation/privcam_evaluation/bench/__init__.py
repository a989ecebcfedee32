"""What `./privcam bench` measures, one module a part."""
