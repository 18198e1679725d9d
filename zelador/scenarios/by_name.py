"""The scenarios that ship with us."""

from __future__ import annotations

from zelador.errors import InvalidInput
from zelador.scenarios import machines, rooms
from zelador.scenarios.scenario import Scenario


def scenario(name: str, seed: int = 7) -> Scenario:
    """`machines` or `rooms`. Raises InvalidInput for another name."""
    if name == "machines":
        return machines.scenario(seed)
    if name == "rooms":
        return rooms.scenario()
    raise InvalidInput(f"there is no scenario {name!r}; take machines or rooms, or give your own readings with --csv")
