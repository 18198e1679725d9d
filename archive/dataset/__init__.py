"""Data sets: readings chosen by a query, with their labels, and a description to read before training.

from archive import dataset

readings = dataset.frame(devices=["press-*"], begin="2026-11-01T00:00:00Z")     # a pandas.DataFrame
"""

from archive.dataset.frame import frame

__all__ = ["frame"]
