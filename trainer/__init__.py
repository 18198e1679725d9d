"""The batch job: compare every classifier on labelled readings, register the best."""
