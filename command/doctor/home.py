"""Checks a home of `zelador up`. Takes no lock, and writes nothing."""

from __future__ import annotations

import os
import re
import shlex
import socket
import ssl
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from command.doctor.finding import Finding, broken, fine, risky
from command.doctor.mqtt import Session
from command.up.home import OTHERS_MODE, home_settings, read_memory
from command.up.ports import HOST
from operations.device_passwords import file_of, read
from zelador.errors import InvalidInput, Unavailable
from zelador.settings import MqttSettings, Settings
from zelador.user import expanded

PORTS = ("mqtt", "redis", "api", "broker5")
LIMIT_S = 3.0
ANONYMOUS = b"\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a"  # a CONNECT without a password
CONNACK = b"\x20"
COMMANDS = re.compile(r"\bzelador (?:train|doctor|(?:models|quarantine|keys) [a-z]+)\b(?! --)")


@dataclass(frozen=True, slots=True)
class HomeFacts:
    folder: Path
    settings: Settings
    running: bool
    broker: str | None  # mosquitto, iotcore or own, while it runs
    mqtt_url: str  # the address that devices connect to
    listen: str | None = None  # the address of --listen, where each device needs a password
    devices: int = 0  # number of devices with a password

    @property
    def broker_config(self) -> Path | None:
        """The configuration file that the broker was started with."""
        name = {"mosquitto": "mosquitto.conf", "iotcore": "broker.toml"}.get(self.broker or "")
        return self.folder / name if name else None


def read_home(folder: Path, settings: Settings) -> HomeFacts:
    """Reads what `up` stored about a home. Raises InvalidInput if the folder is not a home."""
    path = expanded(folder)
    ports = read_memory(path, "home.json")
    if not all(isinstance(ports.get(name), int) for name in PORTS):
        raise InvalidInput(f"{path} is not a home of `zelador up` (it has no home.json); name another with --home")
    now = read_memory(path, "up.json")
    running = alive(now.get("pids", {}).get("up"))
    broker = now.get("broker") if running else None
    given = home_settings(settings, path, ports, broker != "iotcore")
    url = now.get("mqtt") if running else None
    listen = ports.get("listen")
    devices = len(read(file_of(path))) if listen else 0
    return HomeFacts(path, given, running, broker, url or f"mqtt://{HOST}:{ports['mqtt']}", listen, devices)


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


def typed_for(home: HomeFacts, found: Finding) -> Finding:
    """Returns the finding with `--home` added to the commands in its fix."""
    if found.fix is None:
        return found
    option = f" --home {shlex.quote(str(home.folder))}"
    return replace(found, fix=COMMANDS.sub(lambda match: match[0] + option, found.fix))


def not_running(home: HomeFacts) -> Finding:
    return broken(
        "home",
        f"no zelador up is running in {home.folder}",
        "nothing that was acknowledged; devices cannot connect",
        f"zelador up --home {shlex.quote(str(home.folder))}",
    )


def endpoints(home: HomeFacts) -> Iterator[Finding]:
    """Checks the address that devices connect to, and the API. The gate is closed until the ingester has subscribed."""
    if home.broker == "own":
        yield fine("home", f"zelador up runs in {home.folder}; devices connect to your own broker")
    elif trouble := _gate_trouble(home):
        yield broken(
            "home",
            f"devices cannot connect to {home.mqtt_url}: {trouble}",
            "nothing that was acknowledged; devices have to keep their readings",
            "wait until the ingester is back (process.ingest), or restart zelador up",
        )
    else:
        yield _entrance(home)
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


def _entrance(home: HomeFacts) -> Finding:
    where = f"zelador up runs in {home.folder}; devices connect to {home.mqtt_url}"
    if home.listen is None:
        return fine("home", f"{where} (any user of this machine can)")
    folder = shlex.quote(str(home.folder))
    if home.devices == 0:
        return risky(
            "home",
            f"{where}, but no device has a password",
            "nothing; no device can connect",
            f"zelador devices password NAME --home {folder}",
        )
    passwords = "1 device has a password" if home.devices == 1 else f"{home.devices} devices have a password"
    if home.mqtt_url.startswith("mqtts:"):
        return fine("home", f"{where} with TLS; {passwords}")
    return risky(
        "home",
        f"{where}; {passwords}, sent unencrypted",
        "the passwords and readings, to anyone who can observe the network",
        "restart zelador up with --tls-cert FILE --tls-key FILE",
    )


def _gate_trouble(home: HomeFacts) -> str | None:
    """Returns why the gate does not answer a device; None if it does. A refusal for lack of a password is an answer."""
    if home.listen is None:
        try:
            Session(MqttSettings(url=home.mqtt_url), f"zelador-doctor-door-{os.getpid()}", LIMIT_S).close()
        except Unavailable as error:
            return str(error)
        return None
    parts = urlsplit(home.mqtt_url)
    try:
        with socket.create_connection((parts.hostname or HOST, parts.port or 1883), timeout=LIMIT_S) as plain:
            if parts.scheme == "mqtt":
                return _greeting(plain)
            context = ssl.create_default_context()
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE  # nothing secret is sent
            with context.wrap_socket(plain) as secured:
                return _greeting(secured)
    except OSError as error:
        return str(error)


def _greeting(sock: socket.socket) -> str | None:
    sock.sendall(ANONYMOUS)
    return None if sock.recv(16)[:1] == CONNACK else "it does not speak MQTT"


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
