"""Draws subjects from keypoints: body model, proxy, contour, colours."""
