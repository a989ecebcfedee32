"""Ways to run a vision-language model."""
