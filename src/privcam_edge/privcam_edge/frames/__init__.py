"""Sources and the frame memory: raw pixels stay in host memory for a bounded time."""
