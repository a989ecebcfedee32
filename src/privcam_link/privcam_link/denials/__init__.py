"""Reports each connection and message that Zenoh refused, one line each on standard error."""
