"""Does the evaluation tell the truth? Trains on known data, asks what came later, and writes docs/evaluation.md."""
