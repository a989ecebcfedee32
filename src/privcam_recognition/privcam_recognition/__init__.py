"""From sequences of Ω to what happened."""
