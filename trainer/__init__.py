"""The trainer: compares classifiers on labeled readings and registers the best of them."""
