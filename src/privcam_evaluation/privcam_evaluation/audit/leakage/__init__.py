"""Whether pixels of people leave, measured against labels."""
