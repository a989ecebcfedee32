"""Events: the report of a scene, and how flickering scores become events with a start and an end."""
