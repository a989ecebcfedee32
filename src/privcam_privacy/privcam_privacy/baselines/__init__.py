"""Other ways to erase people, to compare with."""
