"""Scores of a model with their uncertainty, shared by trainer, admin server and command line. Pure."""
