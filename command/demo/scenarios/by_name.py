"""The built-in scenarios."""

from __future__ import annotations

from command.demo.scenarios import machines, rooms
from command.demo.scenarios.scenario import Scenario
from zelador.errors import InvalidInput


def scenario(name: str, seed: int = 7) -> Scenario:
    """Returns the scenario `machines` or `rooms`. Raises InvalidInput for any other name."""
    if name == "machines":
        return machines.scenario(seed)
    if name == "rooms":
        return rooms.scenario()
    raise InvalidInput(f"there is no scenario {name!r}; use machines or rooms, or your own readings with --csv")
