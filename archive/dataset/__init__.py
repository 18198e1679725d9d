"""Data sets: chosen readings with their labels, and what is to be seen in them before training."""
