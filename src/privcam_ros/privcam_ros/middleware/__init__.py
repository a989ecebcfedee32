"""What the middleware opens on this host, and who can reach it."""
