"""Evaluates candidates: the split, calibration, thresholds, scores, and the report."""
