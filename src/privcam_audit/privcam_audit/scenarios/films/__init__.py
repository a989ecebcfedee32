"""The films of the scenarios: what the camera delivers in each situation, step by step."""
