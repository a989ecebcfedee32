"""One thin ROS node per file."""
