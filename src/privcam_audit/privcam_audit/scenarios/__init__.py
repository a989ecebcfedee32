"""`privcam audit --scenarios`: clips changed into situations in which people could be shown."""
