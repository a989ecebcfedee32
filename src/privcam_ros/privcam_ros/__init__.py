"""The shared package that depends on ROS: message conversion, exact-κ join, base node, parameters."""
