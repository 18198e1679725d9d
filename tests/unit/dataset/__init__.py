"""Data sets before training."""
