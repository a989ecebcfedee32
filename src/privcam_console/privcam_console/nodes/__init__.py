"""The ROS node of the console."""
