"""`privcam audit`: what leaves the edge, attacked and measured."""
