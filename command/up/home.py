"""A home: the folder in which `zelador up` keeps everything, and the lock that only one may hold."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from command.up.ports import HOST
from zelador.errors import Conflict, Unavailable
from zelador.settings import Settings, load_settings
from zelador.user import expanded

log = logging.getLogger(__name__)

OTHERS = 0o077  # the rights of everybody but the owner
REDIS_CONFIG = "redis.conf"
DRAIN_S = 2.0  # at a stop, how long the ingester takes what the broker still has, and the worker what waits
QUIET_S = 3.0  # after a start of the broker, how long its subscribers have to come back

README = """This folder is a home of Zelador (made by `zelador up`).

home.json   the ports of this home
up.json     what runs now: addresses and process ids (only while it runs)
keys.json   SHA-256 digests of the API keys, never the keys; keys-used.json: when each was last used
audit.jsonl every change that was made over the API: who, what, before, after; audit-….jsonl: those before it
registry/   the models (registry/README.txt says more)
redis/      the buffer: readings, ledger, quarantine; redis.conf: the password of its server
admin.key   the first admin key, where there was no terminal to show it on: read it, keep it elsewhere, remove it
"""


class Home:
    """Takes the lock. Raises Conflict while another `up` has it, Unavailable when the folder cannot be written."""

    def __init__(self, path: Path) -> None:
        self.path = expanded(path)
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            make_private(self.path)
            self.redis.mkdir(mode=0o700, exist_ok=True)
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

    @property
    def admin_key(self) -> Path:
        """Where the first admin key goes when there is no terminal to show it on."""
        return self.path / "admin.key"

    def redis_config(self) -> Path:
        """The configuration of this home's Redis: its password, made once, for our eyes only."""
        path = self.path / REDIS_CONFIG
        if redis_password(self.path) is None:
            write_private(path, f"requirepass {secrets.token_hex(32)}\n")
        return path

    def empty_config(self) -> Path:
        """A settings file that sets nothing."""
        path = self.path / "services.toml"
        path.write_text("# The services of this home get their settings from `zelador up`.\n", encoding="utf-8")
        return path

    def read(self, name: str) -> dict[str, Any]:
        return read_memory(self.path, name)

    def write(self, name: str, document: dict[str, Any]) -> None:
        write_private(self.path / name, json.dumps(document, indent=2) + "\n")

    def forget(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    def release(self) -> None:
        self._lock.close()


def write_private(path: Path, text: str) -> None:
    """Whole or not at all, and for the owner's eyes only."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)


def make_private(path: Path) -> None:
    """Shuts a home out of other users' sight: also one that an earlier version left open, but no folder of others' use.

    `zelador up --home .` must not take away what is shared in the present folder.
    """
    found = path.stat()
    if found.st_uid != os.geteuid() or not found.st_mode & OTHERS:
        return
    ours = any((path / name).exists() for name in ("home.json", "keys.json", "registry/log"))
    if ours or not any(path.iterdir()):
        path.chmod(0o700)
        log.info("%s is for its owner alone from now on (0700)", path)
    else:
        log.warning("%s is open to other users of this machine (chmod 700 it, or choose a folder of its own)", path)


def redis_password(folder: Path) -> str | None:
    """Of a home's Redis; None for one that was not started since it has a password."""
    try:
        words = (folder / REDIS_CONFIG).read_text(encoding="utf-8").split()
    except OSError:
        return None
    return words[1] if len(words) == 2 and words[0] == "requirepass" else None


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
    password = redis_password(folder)
    secret = f":{password}@" if password else ""
    ours: dict[str, dict[str, Any]] = {
        "mqtt": {"url": f"mqtt://{HOST}:{ports['broker5']}", "shared_group": None},
        "redis": {"url": f"redis://{secret}{HOST}:{ports['redis']}/0"},
        "registry": {"url": str(folder / "registry")},
        "api": {"host": HOST, "port": ports["api"], "keys_file": str(folder / "keys.json"), "audit_file": None},
        "ingest": {"drain_s": DRAIN_S},
        "inference": {"quiet_s": 0.0 if remembers else QUIET_S},
    }
    if not remembers:
        ours["mqtt"]["system_topics"] = False  # iotcore hangs up at $SYS
    return load_settings(**{**given, **{name: {**given.get(name, {}), **values} for name, values in ours.items()}})
