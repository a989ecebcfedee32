"""What system tests share."""
