"""When frames were taken, when they are due, and when a lost camera is looked for again."""
