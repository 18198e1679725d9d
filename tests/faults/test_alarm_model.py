"""The state of each device is the documented one after each reading, through deaths of every process."""

from __future__ import annotations

import itertools
import json
import random
import time
from collections.abc import Callable

import pytest

from tests.faults.alarm_model import SETTINGS, DeviceModel
from tests.faults.alarm_scene import Scene
from tests.faults.conftest import whole_matrix
from tests.faults.plant import WELL, WORN
from tests.faults.site import Failed

pytestmark = whole_matrix

ROUNDS, STEP_S = 150, 29  # together more than HOLD_S
AGAIN_S = 3.0
KEYS = ("state", "reason", "reading_id")
VICTIMS = (
    ("inference-1",),
    ("redis",),
    ("broker",),
    ("api",),
    ("ingest-1",),
    ("inference-1", "inference-2"),
    ("redis", "broker"),
    ("inference-2", "redis", "broker", "api", "ingest-1", "inference-1"),
)


def flips(share: float, seed: int) -> Callable[[int], bool]:
    chance, is_worn = random.Random(seed), [False]

    def at(_: int) -> bool:
        is_worn[0] ^= chance.random() < share
        return is_worn[0]

    return at


@pytest.mark.timeout(900)
@pytest.mark.parametrize("scene", [{**SETTINGS, "silent_s": 3_600.0}], indirect=True)
def test_states_are_the_documented_ones_after_each_reading(scene: Scene) -> None:
    """Measured time runs 29 s a round, so that more than an hour passes."""
    site, plant = scene.site, scene.plant
    devices: dict[str, Callable[[int], bool]] = {
        "well": lambda _: False,
        "worn": lambda _: True,
        "odd": lambda number: number % 40 == 7,
        "alternating": lambda number: number % 2 == 1,
        "flapping": lambda number: number // 20 % 2 == 1,
        "prensa çã": flips(0.1, 0),
    }
    devices |= {f"random-{number}": flips(0.02 + 0.05 * number, number) for number in range(10)}
    models = {device: DeviceModel() for device in devices}
    begin, sent = time.time() - ROUNDS * STEP_S - 60, 0

    def differ() -> list[tuple[object, ...]]:
        found = [(d, m.state, m.reason, m.reading, plant.states.get(d)) for d, m in models.items()]
        return [one for one in found if one[4] is None or one[1:4] != tuple(one[4][k] for k in KEYS)]

    for number in range(ROUNDS):
        messages = {}
        for device, is_worn in devices.items():
            worn, at, name = is_worn(number), begin + number * STEP_S, f"{device}-{number}"
            messages[device] = json.dumps({**(WORN if worn else WELL), "ts": at, "id": name}).encode()
            models[device].read(at, worn, name)
            plant.publish(device, messages[device])
        sent += len(messages)
        victims = VICTIMS[number // 5 % len(VICTIMS)] if number % 5 == 4 else ()
        for victim in victims:
            site.kill(victim)
        for victim in victims:
            site.start(victim)
        site.ready(*[victim for victim in victims if victim != "api"])
        again = time.monotonic() + AGAIN_S

        def settled(messages: dict[str, bytes] = messages, expected: int = sent) -> bool:
            nonlocal again
            ledger = site.ledger()
            if ledger.accepted < expected and time.monotonic() > again:  # a broker that is killed may lose some
                again = time.monotonic() + AGAIN_S
                for device, message in messages.items():
                    plant.publish(device, message)
            return ledger.classified == expected

        site.wait(settled, f"round {number}", 90)
        try:
            site.wait(lambda victims=victims: not differ() and (not victims or scene.agree()), "the right states", 60)
        except Failed as failed:
            raise Failed(f"round {number} after {victims}: {differ()[:3]}; {failed}") from None
    for device, model in models.items():
        if device.isascii():
            events = scene.api.ask("GET", f"/v1/devices/{device}/events?limit=200")[1]["events"][::-1]
            assert [event["reading_id"] for event in events if event["state"] == "alarm"] == model.alarms
            assert all(one["state"] == other["before"] for one, other in itertools.pairwise(events))
    assert len(models["flapping"].alarms) == 2, "an hour apart"
