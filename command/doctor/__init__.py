"""`zelador doctor`: what would lose data, when, and how to mend it. Facts are gathered at the edge; rules are pure."""

from command.doctor.finding import BROKEN, FINE, RISKY, Finding, worst

__all__ = ["BROKEN", "FINE", "RISKY", "Finding", "worst"]
