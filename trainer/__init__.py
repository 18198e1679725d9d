"""The trainer: compares classifiers on labelled readings and registers the best of them."""
