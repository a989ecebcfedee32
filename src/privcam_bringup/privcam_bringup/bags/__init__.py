"""Reads rosbag2 bags, also those whose recorder was killed or whose metadata is missing."""
