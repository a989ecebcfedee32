"""Decides what each frame gets of the processor: when the detector looks, and whose pose is estimated."""
