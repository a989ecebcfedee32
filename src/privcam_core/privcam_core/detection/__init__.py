"""Finds persons and faces in pictures: in frames, in what is about to leave, and in what the cloud generates."""
