"""Labeled readings to replay: simulated machines, real rooms, or a user's own CSV file."""

from command.demo.scenarios.scenario import Sample, Scenario
from command.demo.scenarios.table import read_table

__all__ = ["Sample", "Scenario", "read_table"]
