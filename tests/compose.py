"""Runs docker-compose.yml as its user does: compose's own commands, an .env file, published ports."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from command.up.ports import HOST, choose
from tests.outside import Outside

ROOT = Path(__file__).parents[1]
OURS = ("ingest", "inference", "archive", "trainer", "api")
PROJECT = f"zelador-test-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]}"  # one per checkout


def command() -> list[str] | None:
    """Compose 2, else 1; None if neither is installed."""
    for found in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(found[0]) and subprocess.run([*found, "version"], capture_output=True).returncode == 0:
            return found
    return None


class Stack:
    """The whole project on free ports of the loopback, with its own passwords."""

    def __init__(self, folder: Path) -> None:
        ports = choose(["mqtt", "api"], {}, {})
        self.passwords = {
            name: secrets.token_hex(16)
            for name in ("MQTT_SERVICE_PASSWORD", "MQTT_DEVICE_PASSWORD", "REDIS_PASSWORD")
        }  # fmt: skip
        values = {**self.passwords, "MQTT_PORT": ports["mqtt"], "API_PORT": ports["api"]}
        self._file = folder / "env"
        self._file.write_text("".join(f"{name}={value}\n" for name, value in values.items()))
        offered = (line.lstrip("#").split("=")[0] for line in (ROOT / ".env.example").read_text().splitlines())
        unset = {
            name for name in offered if name.isidentifier()
        }  # in Compose, the shell's variables override the file's
        self._environment = {name: value for name, value in os.environ.items() if name not in unset}
        self._command = [*(command() or []), "--project-name", PROJECT, "--env-file", str(self._file)]
        self.mqtt_port = ports["mqtt"]
        self._api = f"http://{HOST}:{ports['api']}"
        self._key = ""

    def start(self) -> None:
        self("down", "--volumes")  # of a run that was killed
        self("build", within_s=3_000)
        self("up", "--detach")
        self.until(self.ready, "the API to answer", 180)
        self._key = self("exec", "-T", "api", "zelador", "keys", "new").strip()

    def stop(self) -> None:
        self("down", "--volumes", within_s=120)

    def __call__(self, *arguments: str, within_s: float = 180) -> str:
        """Runs a command of Compose, and returns its output. Raises an error with the output."""
        return self._run([*self._command, *arguments], within_s)

    def container(self, service: str) -> str:
        return self("ps", "-q", service).split()[0]

    def python(self, service: str, code: str) -> str:
        """Runs Python code in the service's container, and returns what it prints."""
        return self("exec", "-T", service, "python", "-c", code).strip()

    def kill(self, service: str) -> None:
        """Kills one container. The engine does not start it again, because a person asked for this."""
        self._run(["docker", "kill", self.container(service)], 60)

    def crash(self, service: str) -> None:
        """Kills the service's process, as the kernel does when memory is short. The engine starts it again."""
        before = self._restarts(service)
        every = "(int(p) for p in os.listdir('/proc') if p.isdigit())"
        code = f"import os; [os.kill(p, 9) for p in {every} if p not in (1, os.getpid())]"
        self("exec", "--detach", service, "python", "-c", code)  # the end of the container may end it too
        self.until(lambda: self._restarts(service) > before, f"{service} to be started again")

    def outside(self) -> Outside:
        return Outside(f"mqtt://device:{self.passwords['MQTT_DEVICE_PASSWORD']}@{HOST}:{self.mqtt_port}")

    def api(self, method: str, path: str, body: object = None, key: str | None = None) -> tuple[int, dict[str, Any]]:
        request = urllib.request.Request(
            self._api + path,
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {self._key if key is None else key}", "Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read())

    def text(self, path: str) -> str:
        """A page or file at this path of the API's port. Raises HTTPError."""
        request = urllib.request.Request(self._api + path, headers={"Authorization": f"Bearer {self._key}"})
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.read().decode()

    def ledger(self) -> dict[str, int]:
        """The ledger now; {} while Redis does not answer."""
        status, found = self.api("GET", "/v1/ledger")
        if status != 200:
            return {}
        # Without the archive's counts, which change in the background.
        return {name: count for name, count in found.items() if isinstance(count, int) and "archive" not in name}

    def workers(self) -> dict[str, Any]:
        return self.api("GET", "/v1/selection")[1]["workers"] or {}

    def ready(self) -> bool:
        try:
            return self.api("GET", "/readyz")[0] == 200
        except OSError:
            return False

    def until(self, condition: Any, what: str, within_s: float = 60) -> None:
        deadline = time.monotonic() + within_s
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited {within_s:g} s for {what}\n{self('logs', '--tail=30')}")
            time.sleep(0.2)

    def _restarts(self, service: str) -> int:
        return int(self._run(["docker", "inspect", "--format", "{{.RestartCount}}", self.container(service)], 60))

    def _run(self, arguments: list[str], within_s: float) -> str:
        done = subprocess.run(
            arguments, cwd=ROOT, env=self._environment, capture_output=True, text=True, timeout=within_s, check=False
        )
        if done.returncode != 0:
            raise AssertionError(
                f"{' '.join(arguments)} ended with {done.returncode}:\n{done.stdout}{done.stderr}"[-6000:]
            )
        return done.stdout
