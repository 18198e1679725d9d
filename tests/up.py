"""Runs `zelador up` as its user does: the command, its one JSON line, signals."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from command.up.up import STOP_S

COMMAND = [sys.executable, "-m", "zelador"]


class Up:
    def __init__(self, home: Path, *arguments: str, environment: dict[str, str] | None = None) -> None:
        self.home = home
        self.log = home.parent / f"{home.name}.log"
        self._stderr = self.log.open("ab")
        self.process = subprocess.Popen(
            [*COMMAND, "up", "--home", str(home), "--json", *arguments],
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            env={**clean_environment(), **(environment or {})},
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"up ended with {self.process.wait()}: {self.log.read_text()[-2000:]}")
        self.said = json.loads(line)
        if self.said["admin_key"]:
            (home.parent / f"{home.name}.key").write_text(self.said["admin_key"])
        self.key = (home.parent / f"{home.name}.key").read_text()

    def __getitem__(self, name: str) -> str:
        return self.said[name]

    def pids(self) -> dict[str, int]:
        """The current process ids; a killed process has a new one."""
        with contextlib.suppress(OSError, ValueError):
            return json.loads((self.home / "up.json").read_text())["pids"]
        return {}

    def kill(self, name: str, number: int = signal.SIGKILL) -> None:
        pid = self.pids().get(name)
        if pid:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def api(self, method: str, path: str, body: object = None, key: str | None = None) -> tuple[int, dict]:
        request = urllib.request.Request(
            self["api"] + path,
            None if body is None else json.dumps(body).encode(),
            {"Authorization": f"Bearer {key or self.key}", "Content-Type": "application/json"},
            method=method,
        )
        try:
            with urllib.request.urlopen(request, timeout=40) as answer:  # the first classification starts a process
                return answer.status, json.loads(answer.read() or b"{}")
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"{}")

    def ledger(self) -> dict[str, int]:
        deadline = time.monotonic() + 30
        while True:
            with contextlib.suppress(OSError):
                status, found = self.api("GET", "/v1/ledger")
                if status == 200:
                    return {name: count for name, count in found.items() if isinstance(count, int)}
            if time.monotonic() > deadline:
                raise AssertionError("the ledger does not answer")
            time.sleep(0.1)

    def stop(self, number: int = signal.SIGTERM) -> int:
        pids = [pid for pid in self.pids().values() if pid]
        self.process.send_signal(number)
        code = self.process.wait(STOP_S + 15.0)  # plus a margin for a busy machine
        self.close()
        deadline = time.monotonic() + 10
        while any(alive(pid) for pid in pids):
            assert time.monotonic() < deadline, "processes are left"
            time.sleep(0.05)
        return code

    def close(self) -> None:
        assert self.process.stdout is not None
        self._stderr.close()
        self.process.stdout.close()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    with contextlib.suppress(OSError):
        return "Z" not in Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[-1].split()[0]
    return True


def clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("ZELADOR_")}


@contextlib.contextmanager
def running(home: Path, *arguments: str, **options) -> Iterator[Up]:
    up = Up(home, *arguments, **options)
    try:
        yield up
    finally:
        if up.process.poll() is None:
            up.stop()
