"""States of a room and of the people in it that last: occupied, motionless, out of bed, wandering."""
