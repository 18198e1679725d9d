"""A power cut: acknowledged entries are on the disk, complete."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from registry.registry import Registry
from registry.store import Folder
from tests.support.power_cut import copy_of_a_moment

WRITER = """
import itertools, os, sys
from registry.registry import Registry
from tests.registry_writers import save
registry = Registry.open(sys.argv[1])
for number in itertools.count():
    save(registry, f"{sys.argv[2]}-{number}", f"{sys.argv[2]}-{number}")
    os.write(1, f"{sys.argv[2]}-{number}\\n".encode())
"""


def run(*command: object) -> bool:
    return subprocess.run([str(part) for part in command], capture_output=True, timeout=60).returncode == 0


def test_nothing_acknowledged_is_lost_by_a_cut_of_power(tmp_path: Path) -> None:
    """Uses a file system on a loop device. A copy of the device, without unwritten pages, stands for the power cut.

    The test does not cover a disk that acknowledges a flush before it is done.
    """
    device, folder = tmp_path / "device", tmp_path / "mounted"
    folder.mkdir()
    with device.open("wb") as file:
        file.truncate(48 << 20)
    if not (run("mkfs.ext4", "-q", "-F", device) and run("mount", "-o", "loop", device, folder)):
        pytest.skip("there is no loop device: only the order of the steps is tested")
    acknowledged, cuts = 0, 0
    try:
        outs = [tmp_path / f"out-{me}" for me in "ab"]
        writers = []
        for out in outs:
            with out.open("w") as file:
                command = [sys.executable, "-c", WRITER, str(folder / "registry"), out.name[-1]]
                writers.append(subprocess.Popen(command, stdout=file))
        try:
            for _ in range(3):
                least, deadline = acknowledged + 15, time.monotonic() + 30
                while sum(out.read_text().count("\n") for out in outs) < least:
                    assert time.monotonic() < deadline, "the writers do not write"
                    time.sleep(0.01)
                for writer in writers:
                    os.kill(writer.pid, signal.SIGSTOP)
                names = [line for out in outs for line in out.read_text().split("\n")[:-1]]
                acknowledged = len(names)
                copy_of_a_moment(device, tmp_path / f"cut-{cuts}")
                for writer in writers:
                    os.kill(writer.pid, signal.SIGCONT)
                _check_cut(tmp_path / f"cut-{cuts}", tmp_path / "again", names)
                cuts += 1
        finally:
            for writer in writers:
                writer.kill()
                writer.wait(60)
    finally:
        run("umount", folder)
    assert cuts == 3


def _check_cut(device: Path, folder: Path, names: list[str]) -> None:
    folder.mkdir(exist_ok=True)
    assert run("mount", "-o", "loop", device, folder)
    try:
        registry = Registry.open(folder / "registry")
        assert set(names) <= set(registry.state.models)
        assert [finding for finding in registry.verify().findings if finding.fault] == []
    finally:
        assert run("umount", folder)


@pytest.mark.skipif(sys.platform != "linux", reason="names of open files are read from /proc")
@pytest.mark.parametrize("taken", [False, True])
def test_the_order_of_the_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: bool) -> None:
    """The bytes are durable before the name, the name before `create` returns, the folder's own name before both."""
    store, steps = Folder(tmp_path / "store"), []
    if taken:
        store.create("log/00000001.json", b"another's")
    fsync, link, mkdir = os.fsync, os.link, Path.mkdir

    def named(descriptor: int) -> str:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        return f"fsync {path.parent.name if path.parent.name == '.tmp' else path.name}"

    monkeypatch.setattr(os, "fsync", lambda descriptor: (steps.append(named(descriptor)), fsync(descriptor)))
    monkeypatch.setattr(os, "link", lambda a, b: (steps.append("link"), link(a, b)))
    monkeypatch.setattr(Path, "mkdir", lambda path: (steps.append(f"mkdir {path.name}"), mkdir(path)))
    assert store.create("log/00000001.json", b"ours") is not taken
    made = [] if taken else ["mkdir log", "fsync store"]
    assert steps == [*made, "fsync .tmp", "link", "fsync log"]
    steps.clear()
    store.put_stream("models/a/u/model.skops", [b"payload"])
    assert steps[-2:] == ["fsync .tmp", "fsync u"]
    steps.clear()
    store.copy("models/a/u/model.skops", "models/b/v/model.skops")
    assert steps == ["mkdir b", "fsync models", "mkdir v", "fsync b", "link", "fsync v"]
