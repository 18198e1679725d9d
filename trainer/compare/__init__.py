"""Compares classifiers by cross-validation, and ranks them."""
