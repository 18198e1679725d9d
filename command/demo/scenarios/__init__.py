"""Labeled readings to replay: simulated machines, real rooms, or a user's own CSV file."""

from command.demo.scenarios.scenario import Sample, Scenario
from command.demo.scenarios.table import samples_of

__all__ = ["Sample", "Scenario", "samples_of"]
