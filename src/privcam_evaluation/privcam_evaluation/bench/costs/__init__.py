"""What a frame costs of the processor: by stage, and for seals."""
