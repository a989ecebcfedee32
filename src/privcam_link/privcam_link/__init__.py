"""What both ends of the wire share: the codec of Ω, its compression, credentials, access control. No ROS."""
