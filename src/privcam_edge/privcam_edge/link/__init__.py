"""The gate, and the link to the cloud behind it."""
