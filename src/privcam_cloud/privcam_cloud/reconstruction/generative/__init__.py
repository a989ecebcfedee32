"""Generated people in place of contours (optional)."""
