"""The temporal model: a small network over the last seconds of each subject."""
