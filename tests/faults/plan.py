"""The plan of a soak: its arguments, and the servers that it runs on."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from typing import NoReturn

from command.up.servers import found_program
from tests.faults.schedule import WHOLE_S, Fault, schedule
from tests.faults.site import Shape
from tests.servers import asked

PROCESSES = ("ingest-1", "inference-1", "redis", "broker")
WIRES = (
    ("devices", "broker"),
    ("ingest-1", "broker"),
    ("ingest-1", "redis"),
    ("inference-1", "redis"),
    ("inference-1", "broker"),
)
WORK = {"ingest-1": ("ingest-1", "redis"), "inference-1": ("inference-1", "broker")}
LEAST_S = 2 * WHOLE_S + 5.0


class Wrong(Exception):
    """The arguments are wrong; the message says why in one line."""


@dataclass(frozen=True, slots=True)
class Plan:
    seconds: float
    kills: int
    seed: int
    rate: float
    others: bool

    def faults(self) -> list[Fault]:
        return schedule(self.seed, self.seconds, self.kills, PROCESSES, WIRES, self.others, WORK)


def arguments(given: list[str]) -> tuple[Plan, bool]:
    """Parses the arguments. Raises Wrong."""

    class Parser(argparse.ArgumentParser):
        def error(self, message: str) -> NoReturn:
            raise Wrong(f"{message}; --help says what it takes")

    parser = Parser(prog="make soak ARGS=…", description="Random faults under load; nothing may be lost.")
    parser.add_argument("--seconds", type=float, default=120.0, help="how long there is load (%(default)g)")
    parser.add_argument("--kills", type=int, default=8, help="SIGKILLs in that time (%(default)d)")
    parser.add_argument("--seed", type=int, default=7, help="of the schedule: the same seed, the same faults")
    parser.add_argument("--rate", type=float, default=300.0, help="readings a second (%(default)g)")
    parser.add_argument(
        "--faults",
        choices=("all", "kills"),
        default="all",
        help="all: standstills, resets and stalls between the kills",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on the last line")
    found = parser.parse_args(given)
    if not found.seconds >= LEAST_S:
        raise Wrong(f"--seconds {found.seconds:g}: at least {LEAST_S:g}")
    if not 0 <= found.kills <= found.seconds:
        raise Wrong(f"--kills {found.kills}: 0 to one a second")
    if not 1 <= found.rate <= 5_000:
        raise Wrong(f"--rate {found.rate:g}: 1 to 5000")
    return Plan(found.seconds, found.kills, found.seed, found.rate, found.faults == "all"), found.json


def servers() -> Shape:
    """Mosquitto and Redis from the PATH where they are, else the wheels'; TEST_SERVERS=local or embedded chooses."""
    try:
        kind = asked()
    except SystemExit as error:
        raise Wrong(str(error)) from None
    if kind == "containers":
        raise Wrong("TEST_SERVERS=containers: their processes cannot be killed one by one; take local or embedded")
    local = {
        program: kind != "embedded" and found_program(program) is not None for program in ("mosquitto", "redis-server")
    }
    if kind == "local" and not all(local.values()):
        raise Wrong("TEST_SERVERS=local: mosquitto and redis-server are needed (make servers)")
    return Shape(
        broker="mosquitto" if local["mosquitto"] else "iotcore",
        redis="redis-server" if local["redis-server"] else "valkey",
    )
