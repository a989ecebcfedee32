"""The only shared place that knows ROS: message to core type, exact-κ join, the base node."""
