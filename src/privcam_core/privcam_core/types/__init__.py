"""Values that both sides share: κ, Ω and its parts, boxes, tracks, the skeleton."""
