"""What both sides of the link mean by a skeleton, a proxy and an Ω. No ROS, no network, no camera."""
