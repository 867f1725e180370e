"""What the exercises ask, one module per lecture: each has a tuple `EXERCISES`."""
