"""Pictures of ordinary ROS 2 camera drivers: their encodings, their QoS, their frame and calibration."""
