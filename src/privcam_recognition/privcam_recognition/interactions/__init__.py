"""Events between people, and between a hand and a mouth."""
