"""Types of both sides: κ, Ω and its parts, boxes, tracks, the skeleton; arrays, time, identifiers."""
