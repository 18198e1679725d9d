"""A home: the folder in which `zelador up` keeps everything, and the lock that only one may hold."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from zelador.embedded.ports import HOST
from zelador.errors import Conflict, Unavailable
from zelador.settings import Settings, load_settings

DRAIN_S = 2.0  # at a stop, how long the ingester takes what the broker still has, and the worker what waits
QUIET_S = 3.0  # after a start of the broker, how long its subscribers have to come back

README = """This folder is a home of Zelador (made by `zelador up`).

home.json   the ports of this home
up.json     what runs now: addresses and process ids (only while it runs)
keys.json   SHA-256 digests of the API keys, never the keys; keys-used.json: when each was last used
audit.jsonl every change that was made over the API: who, what, before, after
registry/   the models (registry/README.txt says more)
redis/      the buffer: readings, ledger, quarantine
"""


class Home:
    """Takes the lock. Raises Conflict while another `up` has it, Unavailable when the folder cannot be written."""

    def __init__(self, path: Path) -> None:
        self.path = path.expanduser().absolute()
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            self.redis.mkdir(exist_ok=True)
            self._lock = (self.path / "lock").open("a+")
            (self.path / "README.txt").write_text(README, encoding="utf-8")
        except OSError as error:
            raise Unavailable(
                f"{self.path} cannot be written ({error.strerror}); name another folder with --home"
            ) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            running = self.read("up.json").get("pids", {}).get("up", "unknown")
            self._lock.close()
            raise Conflict(
                f"{self.path} is in use by another zelador (process {running}); stop it, or name another --home"
            ) from None

    @property
    def redis(self) -> Path:
        return self.path / "redis"

    @property
    def registry(self) -> Path:
        return self.path / "registry"

    @property
    def keys(self) -> Path:
        return self.path / "keys.json"

    def empty_config(self) -> Path:
        """A settings file that sets nothing."""
        path = self.path / "services.toml"
        path.write_text("# The services of this home get their settings from `zelador up`.\n", encoding="utf-8")
        return path

    def read(self, name: str) -> dict[str, Any]:
        return read_memory(self.path, name)

    def write(self, name: str, document: dict[str, Any]) -> None:
        temporary = self.path / f".{name}.{os.getpid()}"
        temporary.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
        temporary.replace(self.path / name)

    def forget(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    def release(self) -> None:
        self._lock.close()


def read_memory(folder: Path, name: str) -> dict[str, Any]:
    """A JSON object of the home; empty when it is not there or damaged (only a memory of ports). Takes no lock."""
    try:
        found = json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def home_settings(settings: Settings, folder: Path, ports: Mapping[str, int], remembers: bool) -> Settings:
    """The given settings, with a home's addresses and folders. `remembers`: its broker's sessions outlive it."""
    given = settings.model_dump(by_alias=True, exclude_defaults=True)
    ours: dict[str, dict[str, Any]] = {
        "mqtt": {"url": f"mqtt://{HOST}:{ports['broker5']}", "shared_group": None},
        "redis": {"url": f"redis://{HOST}:{ports['redis']}/0"},
        "registry": {"url": str(folder / "registry")},
        "api": {"host": HOST, "port": ports["api"], "keys_file": str(folder / "keys.json"), "audit_file": None},
        "ingest": {"drain_s": DRAIN_S},
        "inference": {"quiet_s": 0.0 if remembers else QUIET_S},
    }
    if not remembers:
        ours["mqtt"]["system_topics"] = False  # iotcore hangs up at $SYS
    return load_settings(**{**given, **{name: {**given.get(name, {}), **values} for name, values in ours.items()}})
