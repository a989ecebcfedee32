"""DeepSORT: who is who over time, and who is in front."""
