"""SIGKILL of Redis between its answer and its write loses no label that was acknowledged, and no undo of one."""

from __future__ import annotations

import itertools

from tests.attacks.kills import killed_while_unwritten
from tests.attacks.own_redis import OwnRedis, settings_of
from zelador.buffer import connect_redis
from zelador.labels import Label, Labels, LabelStore


def test_acknowledged_labels_survive_a_kill(one: OwnRedis) -> None:
    client = connect_redis(settings_of(one).redis)
    store = LabelStore(client, "t")
    numbers = itertools.count()

    def step() -> str:
        name = str(next(numbers))
        assert store.add([Label(name, "press", 1, 2, "yes")]) == ["added"]
        if int(name) % 2:
            assert store.undo(name, "somebody", 1) == "undone"
        return name

    confirmed = killed_while_unwritten(one, step)
    found = Labels(client, "t").snapshot()
    client.close()
    assert set(confirmed) - {each.id for each in found.labels} == set()
    assert {name for name in confirmed if int(name) % 2} - set(found.undone) == set()
