"""Finds out which confinement this machine supports, with a child that imports no libraries."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import msgspec

from registry.cage.confine import Confinement, confine
from zelador.errors import Unavailable
from zelador.undecodable import UNDECODABLE

LIMIT_S = 10.0
BOOT = "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from registry.cage.probe import main; main()"


def walls() -> Confinement:
    """The confinement of a cage on this machine. Raises Unavailable."""
    path = msgspec.json.encode([str(Path(entry).absolute()) for entry in sys.path])
    with tempfile.TemporaryDirectory(prefix="zelador-cage-") as folder:
        command = [sys.executable, "-I", "-B", "-c", BOOT, path.decode(), str(os.getpid())]
        try:
            done = subprocess.run(command, capture_output=True, timeout=LIMIT_S, cwd=folder, env={}, check=True)
            return msgspec.json.decode(done.stdout, type=Confinement)
        except (OSError, subprocess.SubprocessError, *UNDECODABLE) as error:
            raise Unavailable(f"the process in which models are checked cannot be started ({error})") from None


def main() -> None:
    found = confine(int(sys.argv[2]), Path.cwd(), (), False)
    os.write(1, msgspec.json.encode(found))
