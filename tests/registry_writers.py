"""Writers of one registry that are killed at random, and the checks afterwards."""

from __future__ import annotations

import itertools
import json
import multiprocessing
import os
import random
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from registry.log import entry as log_entry
from registry.model.manifest import Feature, Manifest, describe
from registry.registry import Registry
from zelador.errors import Conflict, NotFound, Unavailable
from zelador.settings import RegistrySettings

GRACE_S = 0.3  # of the collections: short enough to condemn a save between its upload and its commit
SHARED = 40  # names that all writers want


def files_of(text: str) -> dict[str, bytes]:
    return {"model.skops": f"model {text}".encode() * 20, "golden.json": f"golden {text}".encode()}


def manifest_of(name: str, files: dict[str, bytes]) -> Manifest:
    digests = {path: describe(data) for path, data in files.items()}
    return Manifest(1, name, (Feature("lux", "lx"),), ("no", "yes"), "pipeline", "2026-11-24T12:00:00Z", {}, digests)


def save(registry: Registry, name: str, token: str) -> None:
    files = files_of(token)
    registry.add(name, files, manifest_of(name, files), by="writer", why=token)


def act(registry: Registry, draw: random.Random, me: str, token: str) -> None:
    """Makes one operation; `token` is its reason in the log, by which it is found again."""
    names = [*registry.state.models, "nobody"]
    some = draw.choice(names)
    match draw.choices(
        ["new", "shared", "annotate", "tag", "rename", "select", "roll back", "delete", "collect"],
        [16, 14, 20, 9, 8, 10, 8, 14, 1],
    )[0]:
        case "new":
            save(registry, f"{me}-{token}", token)
        case "shared":
            save(registry, f"shared-{draw.randrange(SHARED)}", token)
        case "annotate":
            registry.annotate(some, {token: True}, by=me, why=token)
        case "tag":
            registry.tag(some, [token], by=me, why=token)
        case "rename":
            to = f"shared-{draw.randrange(SHARED)}"
            registry.rename(some, f"{me}-{token}" if to == some or draw.random() < 0.5 else to, by=me, why=token)
        case "select":
            registry.select(some, by=me, why=token)
        case "roll back":
            registry.roll_back(by=me, why=token)
        case "delete":
            registry.delete(some, by=me, why=token)
        case "collect":
            registry.collect(by=me, grace_s=GRACE_S)
            raise NotFound("a collection has no token")


def write(settings: RegistrySettings, out: Path, me: str, limit: int) -> None:
    """Writes until killed, or `limit` operations; a line in `out` for each, only once it was answered."""
    draw = random.Random(me)
    descriptor = os.open(out, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        registry = Registry.open(settings)
    except Exception as error:
        os.write(descriptor, f"{me} FAULT {type(error).__name__}: {error}\n".encode())
        raise
    for number in itertools.count() if limit == 0 else range(limit):
        token = f"{me}-{number}"
        try:
            act(registry, draw, me, token)
            said = "done"
        except (Conflict, NotFound):
            said = "refused"
        except Unavailable:
            said = "unknown"
        except Exception as error:  # noqa: BLE001 - said in the test's report, where an exit code alone says nothing
            said = f"FAULT {type(error).__name__}: {error}"
        os.write(descriptor, f"{token} {said}\n".encode())


@dataclass
class Outcome:
    kills: int = 0
    said: Counter[str] = field(default_factory=Counter)
    done: list[str] = field(default_factory=list)
    seconds: float = 0.0


def let_them_write(
    settings: RegistrySettings, folder: Path, *, writers: int, kills: int = 0, done: int = 0, limit: int = 0
) -> Outcome:
    """`writers` at once, each killed one replaced, until `kills` and `done` acknowledged operations are reached.

    With `limit` nobody is killed: each writer makes so many operations.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["registry.registry", "registry.verify", "obstore", "obstore.store", "zstandard"])
    draw, started, outcome = random.Random(7), time.monotonic(), Outcome()
    numbers, living = itertools.count(), []

    def start() -> None:
        me = f"w{next(numbers)}"
        process = context.Process(target=write, args=(settings, folder / f"out-{me}", me, limit), daemon=True)
        process.start()
        living.append(process)

    def acknowledged() -> int:
        return sum(path.read_text().count(" done\n") for path in folder.glob("out-*"))

    for _ in range(writers):
        start()
    if limit:
        for process in living:
            process.join(120)
            assert process.exitcode == 0, [path.read_text()[-500:] for path in folder.glob("out-*")]
    while not limit and (outcome.kills < kills or acknowledged() < done):
        time.sleep(0.05)
        assert time.monotonic() - started < 150, f"{acknowledged()} operations, {outcome.kills} kills in 150 s"
        if outcome.kills < kills and acknowledged() * kills >= outcome.kills * done:  # spread over all the operations
            victim = living.pop(draw.randrange(len(living)))
            victim.kill()
            victim.join(60)
            outcome.kills += 1
            start()
    for process in living:
        process.kill()
        process.join(60)
    outcome.seconds = time.monotonic() - started
    for path in sorted(folder.glob("out-*")):
        for line in path.read_text().splitlines():
            token, said = line.split(" ", 1)
            outcome.said[said] += 1
            if said == "done":
                outcome.done.append(token)
    return outcome


def check(settings: RegistrySettings, outcome: Outcome, least: int, say: Callable[[str], None] = print) -> None:
    """Checks that no acknowledged change is lost or doubled, and models and chain are whole, checkpoint = fold."""
    registry = Registry.open(settings)
    store = registry._store
    entries = [json.loads(store.read(item.key)) for item in store.list(log_entry.FOLDER)]
    times = Counter(entry["why"] for entry in entries)
    lost = [token for token in outcome.done if times[token] == 0]
    twice = [token for token in times if times[token] > 1 and token.startswith("w")]
    report = registry.verify(expect=registry.state.etag)
    say(
        f"{sum(outcome.said.values())} operations answered ({len(outcome.done)} done, {dict(outcome.said)}), "
        f"{outcome.kills} kills, {len(entries)} entries, {len(lost)} lost, {len(twice)} twice, "
        f"{report.models} models, {report.files} files checked, {outcome.seconds:.1f} s"
    )
    live: set[str] = set()
    for entry in entries:
        for op in entry["ops"]:
            if op["op"] == "register":
                assert op["name"] not in live, "a name was registered twice"
                live.add(op["name"])
            elif op["op"] == "rename":
                assert op["to"] not in live, "a name was given twice"
                live.remove(op["name"])
                live.add(op["to"])
            elif op["op"] == "delete":
                live.remove(op["name"])
    assert lost == []
    assert twice == []
    assert set(outcome.said) <= {"done", "refused", "unknown"}
    assert live == set(registry.state.models)
    assert [finding for finding in report.findings if finding.fault] == []
    assert len(outcome.done) >= least
    assert list(store.list("checkpoints")), "no checkpoint was written"
    assert Registry(store, settings).sync() == registry.state, "from a checkpoint it is another state"
