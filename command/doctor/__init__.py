"""`zelador doctor`: report what would lose data, when, and how to fix it. Facts come from the edge; rules are pure."""

from command.doctor.finding import BROKEN, FINE, RISKY, Finding, worst

__all__ = ["BROKEN", "FINE", "RISKY", "Finding", "worst"]
