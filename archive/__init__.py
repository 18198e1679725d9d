"""Readings and predictions as Parquet files, and the data sets that are drawn from them."""
