"""What the exercises ask, a module a lecture: each holds a tuple `EXERCISES`."""
