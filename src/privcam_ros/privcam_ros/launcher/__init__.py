"""What a node has to do with the program that started it."""
