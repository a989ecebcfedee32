"""The commands of the privacy camera: demo, bench, replay, launch, models."""
