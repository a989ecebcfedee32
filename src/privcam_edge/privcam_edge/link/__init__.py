"""The gate, and the way out."""
