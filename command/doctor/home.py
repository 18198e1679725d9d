"""A home of `zelador up`, looked at from outside: without its lock, and without writing into it."""

from __future__ import annotations

import os
import shlex
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from command.doctor.finding import Finding, broken, fine, risky
from command.doctor.mqtt import Session
from command.up.home import OTHERS, home_settings, read_memory
from command.up.ports import HOST
from zelador.errors import InvalidInput, Unavailable
from zelador.settings import MqttSettings, Settings
from zelador.user import expanded

PORTS = ("mqtt", "redis", "api", "broker5")
LIMIT_S = 3.0


@dataclass(frozen=True, slots=True)
class SeenHome:
    folder: Path
    settings: Settings
    running: bool
    broker: str | None  # mosquitto or iotcore, while it runs
    door: str  # where devices come in

    @property
    def broker_config(self) -> Path | None:
        """The configuration that the broker was started with."""
        name = {"mosquitto": "mosquitto.conf", "iotcore": "broker.toml"}.get(self.broker or "")
        return self.folder / name if name else None


def see(folder: Path, settings: Settings) -> SeenHome:
    """Raises InvalidInput when the folder is no home."""
    path = expanded(folder)
    ports = read_memory(path, "home.json")
    if not all(isinstance(ports.get(name), int) for name in PORTS):
        raise InvalidInput(f"{path} is not a home of `zelador up` (it has no home.json); name another with --home")
    now = read_memory(path, "up.json")
    running = alive(now.get("pids", {}).get("up"))
    broker = now.get("broker") if running else None
    given = home_settings(settings, path, ports, broker != "iotcore")
    return SeenHome(path, given, running, broker, f"mqtt://{HOST}:{ports['mqtt']}")


def privacy(home: SeenHome) -> Finding:
    """Whether other users of this machine are kept out of it."""
    try:
        mode = home.folder.stat().st_mode & 0o777
    except OSError as error:
        return risky("home.private", f"{home.folder} cannot be looked at: {error.strerror}", "nothing", "look yourself")
    if mode & OTHERS == 0:
        return fine("home.private", f"{home.folder} is for its owner alone")
    return risky(
        "home.private",
        f"{home.folder} is open to other users of this machine ({mode:03o})",
        "nothing by itself; they can read readings, models and addresses, and with the right to write replace them",
        f"chmod 700 {shlex.quote(str(home.folder))}",
    )


def not_running(home: SeenHome) -> Finding:
    return broken(
        "home",
        f"no zelador up runs in {home.folder}",
        "nothing that was acknowledged; devices find no broker",
        f"zelador up --home {home.folder}",
    )


def doors(home: SeenHome) -> Iterator[Finding]:
    """Devices' way in, and the API. A door that is shut keeps devices waiting until the ingester has subscribed."""
    try:
        Session(MqttSettings(url=home.door), f"zelador-doctor-door-{os.getpid()}", LIMIT_S).close()
        yield fine(
            "home", f"zelador up runs in {home.folder}; devices come in at {home.door} (every user of this machine may)"
        )
    except Unavailable as error:
        yield broken(
            "home",
            f"devices are not let in at {home.door}: {error}",
            "nothing that was acknowledged; devices keep what they have",
            "wait until the ingester is back (process.ingest), or stop and start zelador up",
        )
    url = f"http://{HOST}:{home.settings.api.port}/healthz"
    try:
        with urllib.request.urlopen(url, timeout=LIMIT_S):
            yield fine("process.api", f"answers at {url.removesuffix('/healthz')}")
    except (urllib.error.URLError, OSError) as error:
        yield risky(
            "process.api",
            f"does not answer at {url}: {error}",
            "nothing; no console and no API meanwhile",
            "zelador up starts it again by itself; its log says why it died",
        )


def alive(pid: object) -> bool:
    if not isinstance(pid, int):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
