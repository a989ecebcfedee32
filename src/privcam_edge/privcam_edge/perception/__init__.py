"""From a raw frame to boxes, descriptors, keypoints and masks."""
