"""Image formats: strict PNG and the environment picture."""
