"""Raw pixels live here, in host memory, for a bounded time."""
