"""Readings, labels and predictions kept as Parquet, and the data sets made of them."""
