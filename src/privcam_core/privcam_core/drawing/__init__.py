"""From keypoints to pictures: body model, proxy, contour, colours."""
