"""Turns a compared classifier into the files of a model."""
