"""DeepSORT: keeps the identity of persons over time, and the order in which they are drawn."""
