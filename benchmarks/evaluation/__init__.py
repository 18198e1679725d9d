"""Checks the evaluation: trains on known data, compares its promises with later data, and writes docs/evaluation.md."""
