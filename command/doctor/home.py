"""The checks of a home of `zelador up`. They take no lock and write nothing."""

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
from command.up.home import OTHERS_MODE, home_settings, read_memory
from command.up.ports import HOST
from zelador.errors import InvalidInput, Unavailable
from zelador.settings import MqttSettings, Settings
from zelador.user import expanded

PORTS = ("mqtt", "redis", "api", "broker5")
LIMIT_S = 3.0


@dataclass(frozen=True, slots=True)
class HomeFacts:
    folder: Path
    settings: Settings
    running: bool
    broker: str | None  # mosquitto or iotcore, while it runs
    mqtt_url: str  # the address that devices connect to

    @property
    def broker_config(self) -> Path | None:
        """The configuration file that the broker was started with."""
        name = {"mosquitto": "mosquitto.conf", "iotcore": "broker.toml"}.get(self.broker or "")
        return self.folder / name if name else None


def read_home(folder: Path, settings: Settings) -> HomeFacts:
    """Raises InvalidInput if the folder is not a home."""
    path = expanded(folder)
    ports = read_memory(path, "home.json")
    if not all(isinstance(ports.get(name), int) for name in PORTS):
        raise InvalidInput(f"{path} is not a home of `zelador up` (it has no home.json); name another with --home")
    now = read_memory(path, "up.json")
    running = alive(now.get("pids", {}).get("up"))
    broker = now.get("broker") if running else None
    given = home_settings(settings, path, ports, broker != "iotcore")
    return HomeFacts(path, given, running, broker, f"mqtt://{HOST}:{ports['mqtt']}")


def privacy(home: HomeFacts) -> Finding:
    """Checks that other users of this machine have no access to the home."""
    try:
        mode = home.folder.stat().st_mode & 0o777
    except OSError as error:
        return risky(
            "home.private", f"cannot read {home.folder}: {error.strerror}", "nothing", "check its permissions: ls -ld"
        )
    if mode & OTHERS_MODE == 0:
        return fine("home.private", f"only its owner has access to {home.folder}")
    return risky(
        "home.private",
        f"other users of this machine have access to {home.folder} ({mode:03o})",
        "nothing by itself; they can read readings, models and addresses, and with write permission replace them",
        f"chmod 700 {shlex.quote(str(home.folder))}",
    )


def not_running(home: HomeFacts) -> Finding:
    return broken(
        "home",
        f"no zelador up is running in {home.folder}",
        "nothing that was acknowledged; devices cannot connect",
        f"zelador up --home {home.folder}",
    )


def endpoints(home: HomeFacts) -> Iterator[Finding]:
    """Checks the address that devices connect to, and the API. The gate is closed until the ingester has subscribed."""
    try:
        Session(MqttSettings(url=home.mqtt_url), f"zelador-doctor-door-{os.getpid()}", LIMIT_S).close()
        yield fine(
            "home",
            f"zelador up runs in {home.folder}; devices connect to {home.mqtt_url} (any user of this machine can)",
        )
    except Unavailable as error:
        yield broken(
            "home",
            f"devices cannot connect to {home.mqtt_url}: {error}",
            "nothing that was acknowledged; devices have to keep their readings",
            "wait until the ingester is back (process.ingest), or restart zelador up",
        )
    url = f"http://{HOST}:{home.settings.api.port}/healthz"
    try:
        with urllib.request.urlopen(url, timeout=LIMIT_S):
            yield fine("process.api", f"answers at {url.removesuffix('/healthz')}")
    except (urllib.error.URLError, OSError) as error:
        yield risky(
            "process.api",
            f"does not answer at {url}: {error}",
            "nothing; the console and the API are down",
            "zelador up restarts it; its log says why it stopped",
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
