"""From Ω to the messages of the live view. Knows no ROS and no network."""
