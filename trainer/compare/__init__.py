"""Compare classifiers by cross-validation, and rank them."""
