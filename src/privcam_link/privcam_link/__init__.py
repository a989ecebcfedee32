"""The link for both ends: codec of Ω, compression, patches, credentials, access control. No ROS."""
