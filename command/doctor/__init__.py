"""`zelador doctor`: reports what would lose data, when, and how to fix it. Gathers facts first; the rules are pure."""

from command.doctor.finding import BROKEN, FINE, RISKY, Finding, worst

__all__ = ["BROKEN", "FINE", "RISKY", "Finding", "worst"]
