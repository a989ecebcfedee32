"""The information-bottleneck encoder f (Eq. 5): how it is trained, tested, attacked and exported."""
