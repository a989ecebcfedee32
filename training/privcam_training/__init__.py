"""Training of the models that privcam ships. Needs torch, which neither edge nor cloud does."""
