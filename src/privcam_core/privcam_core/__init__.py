"""Types, images, drawing, detection, events and models that edge and cloud use. No ROS, no network, no camera."""
