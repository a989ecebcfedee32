"""What survives a restart of the edge."""
