"""A home: the folder in which `zelador up` keeps its data, with a lock that one process can hold."""

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
from operations.device_passwords import FILE, SERVICE_USER
from zelador.errors import Conflict, Unavailable
from zelador.settings import ArchiveSettings, Settings, load_settings
from zelador.settings.paths import absolute
from zelador.user import expanded

log = logging.getLogger(__name__)

OTHERS_MODE = 0o077  # permissions of everyone but the owner
REDIS_CONFIG = "redis.conf"
PLANT = ("features", "fields", "profiles", "profile_tables", "plant", "time_zone", "topics", "ingest")
SERVICE_PASSWORD = "mqtt.password"  # noqa: S105 - a file's name
DRAIN_S = 2.0  # on a stop, for the ingester to empty the broker's queue, and for the worker to empty the buffer
QUIET_S = 3.0  # after a restart of the broker, for its subscribers to reconnect

README = """This folder is a home of Zelador (made by `zelador up`).

home.json   the ports of this home, the settings of its devices, and where its archive is
up.json     addresses and process ids (only while `zelador up` is running)
keys.json   SHA-256 digests of the API keys, never the keys; keys-used.json: when each was last used
audit.jsonl the audit log of all changes: who, what, before, after; audit-….jsonl: its older parts
registry/   the models (see registry/README.txt)
archive/    readings and predictions as Parquet files; its log/ says which count
datasets/   loaded data sets, kept for an hour (ZELADOR_DATASETS__CACHE_S); it can be deleted
redis/      the buffer: readings, ledger, quarantine; redis.conf: the password of Redis
device-passwords.json  hashes of the passwords of devices (zelador devices), never the passwords
mqtt.password          the services' own password at the broker (with --listen); mosquitto.passwords, mosquitto.acl:
            what Mosquitto checks, made from these
services.toml          empty: put your own settings in zelador.toml where you start `zelador up`, in a file named by
            ZELADOR_CONFIG, or in ZELADOR_… variables; `up` hands them to its services
admin.key   the first admin key, if there was no terminal to show it: store it elsewhere, then delete the file
"""


SERVICES_TOML = """\
# Leave this file empty: the services of this home get their settings from `zelador up`.
# Put your own settings (docs/reference/settings.md) in zelador.toml in the folder where you start `zelador up`,
# in a file that ZELADOR_CONFIG names, or in environment variables such as ZELADOR_FEATURES. Then restart `zelador up`.
"""


class Home:
    """A home, locked. Raises Conflict if another `up` has the lock, Unavailable if the folder cannot be written."""

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
                f"cannot write to {self.path} ({error.strerror}); choose another folder with --home"
            ) from None
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            running = self.read("up.json").get("pids", {}).get("up", "unknown")
            self._lock.close()
            raise Conflict(
                f"{self.path} is in use by another zelador (process {running}); stop it, or choose another --home"
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
        """The file for the first admin key, which is used if there is no terminal to show it."""
        return self.path / "admin.key"

    def redis_config(self) -> Path:
        """Returns the Redis configuration with the password of this home, created once, readable only by the owner."""
        path = self.path / REDIS_CONFIG
        if redis_password(self.path) is None:
            write_private(path, f"requirepass {secrets.token_hex(32)}\n")
        return path

    def service_password(self) -> str:
        """Returns the password of the services at the broker, created once, readable only by the owner."""
        path = self.path / SERVICE_PASSWORD
        if (found := service_password(self.path)) is None:
            write_private(path, f"{(found := secrets.token_hex(32))}\n")
        return found

    def empty_config(self) -> Path:
        """Returns the path of a settings file that sets nothing."""
        path = self.path / "services.toml"
        path.write_text(SERVICES_TOML, encoding="utf-8")
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
    """Writes a file atomically, readable only by the owner."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    temporary.replace(path)


def make_private(path: Path) -> None:
    """Removes other users' access to a home, or to an empty folder that becomes one.

    A folder with other contents keeps its permissions: `zelador up --home .` must not close a shared folder.
    """
    found = path.stat()
    if found.st_uid != os.geteuid() or not found.st_mode & OTHERS_MODE:
        return
    is_home = any((path / name).exists() for name in ("home.json", "keys.json", FILE, "registry/log"))
    if is_home or not any(path.iterdir()):
        path.chmod(0o700)
        log.info("removed other users' access to %s (0700)", path)
    else:
        log.warning("other users of this machine have access to %s (chmod 700 it, or choose an empty folder)", path)


def redis_password(folder: Path) -> str | None:
    """Returns the password of a home's Redis; None if the home was never started."""
    try:
        words = (folder / REDIS_CONFIG).read_text(encoding="utf-8").split()
    except OSError:
        return None
    return words[1] if len(words) == 2 and words[0] == "requirepass" else None


def service_password(folder: Path) -> str | None:
    """Returns the password of a home's services at its broker; None if devices never needed passwords there."""
    try:
        return (folder / SERVICE_PASSWORD).read_text(encoding="utf-8").strip() or None
    except OSError:
        return None


def read_memory(folder: Path, name: str) -> dict[str, Any]:
    """Reads a JSON file of the home; empty if it is missing or damaged, since it has only addresses. Takes no lock."""
    try:
        found = json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def home_settings(settings: Settings, folder: Path, memory: Mapping[str, Any], remembers: bool) -> Settings:
    """Returns the settings with a home's addresses and folders. `memory` is home.json.

    Settings of the plant that `up` was started with apply unless `settings` override them, so that every terminal
    sees the same plant.
    `remembers`: sessions survive a restart of its broker.
    """
    given = settings.model_dump(by_alias=True, exclude_defaults=True)
    given = _with_plant(given, memory.get("settings") or {})
    own = memory.get("own", {})
    overrides: dict[str, dict[str, Any]] = {
        "mqtt": own.get("mqtt") or _embedded_broker(folder, memory),
        "redis": own.get("redis") or _embedded_redis(folder, memory),
        "registry": {"url": str(folder / "registry")},
        "archive": _archive(settings, folder, memory.get("archive") or {}),
        "datasets": {"cache": str(folder / "datasets")},
        "api": {"host": HOST, "port": memory["api"], "keys_file": str(folder / "keys.json"), "audit_file": None},
        "ingest": {"drain_s": DRAIN_S},
        "inference": {"quiet_s": 0.0 if remembers or "mqtt" in own else QUIET_S},
        "metrics": {"port": None},  # two workers cannot share it; the API serves /metrics
    }
    if not remembers and "mqtt" not in own:
        overrides["mqtt"]["system_topics"] = False  # iotcore disconnects a client that subscribes to $SYS
    return load_settings(**{**given, **{name: {**given.get(name, {}), **values} for name, values in overrides.items()}})


def plant_settings(settings: Settings) -> dict[str, Any]:
    """Returns the settings that describe devices and messages, if they are set. None of them is secret."""
    return settings.model_dump(mode="json", by_alias=True, exclude_defaults=True, include=set(PLANT))


def _with_plant(given: dict[str, Any], plant: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the plant's settings, overridden by the given ones."""
    features = given.get("features", plant.get("features"))
    found = dict(given)
    for name, value in plant.items():
        if name == "fields" and features is not None:
            value = {feature: field for feature, field in value.items() if feature in features}
        found[name] = {**value, **given.get(name, {})} if isinstance(value, dict) else given.get(name, value)
    return found


def archive_memory(settings: Settings) -> dict[str, Any]:
    """Returns what other commands need to know about an archive that is not in the home, or is switched off."""
    archive = absolute(settings).archive
    named = archive.url != str(expanded(Path(ArchiveSettings().url)))
    found = archive.model_dump(mode="json", include={"url", "bucket", "timeout_s"}) if named else {}
    return found if archive.enabled else {**found, "enabled": False}


def _archive(settings: Settings, folder: Path, memory: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the archive that the settings name, such as a bucket; else that of `up`; else a folder of the home."""
    named, default = settings.archive.url, ArchiveSettings().url
    if named not in (default, str(expanded(Path(default)))):
        found: dict[str, Any] = {"url": named}
    else:
        found = {"url": str(folder / "archive")}
        found |= {key: memory[key] for key in ("url", "bucket", "timeout_s") if key in memory}
    if "enabled" in memory and "enabled" not in settings.archive.model_fields_set:
        found["enabled"] = memory["enabled"]
    return found


def _embedded_broker(folder: Path, memory: Mapping[str, Any]) -> dict[str, Any]:
    password = service_password(folder) if memory.get("listen") else None
    return {
        **dict.fromkeys(("ca_file", "certificate_file", "key_file", "broker_config_file", "shared_group")),
        "url": f"mqtt://{HOST}:{memory['broker5']}",
        "device_url": memory.get("device_url") or f"mqtt://{HOST}:{memory.get('mqtt', 1883)}",
        "username": SERVICE_USER if password else None,
        "password": password,
    }


def _embedded_redis(folder: Path, memory: Mapping[str, Any]) -> dict[str, Any]:
    password = redis_password(folder)
    secret = f":{password}@" if password else ""
    return {"url": f"redis://{secret}{HOST}:{memory['redis']}/0", "ca_file": None}
