"""Labeled readings to replay: simulated machines, real rooms, or a user's own CSV file."""

from zelador.scenarios.scenario import Sample, Scenario
from zelador.scenarios.table import read_table

__all__ = ["Sample", "Scenario", "read_table"]
