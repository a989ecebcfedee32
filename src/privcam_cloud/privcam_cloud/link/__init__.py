"""The way in: from the network back to ROS."""
