"""The template's side: imports the libraries, forks a child for each message, and reports how each child ended.

Started by template.py, isolated from the environment (`python -I`). A message is a line of JSON with four open files:
requests, replies, errors, and a status pipe that receives the child's process id and its exit status.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import selectors
import signal
import socket
import struct
import sys
from pathlib import Path
from typing import Any

STATUS = struct.Struct("=qq")  # process id, exit status as in subprocess; NONE while it runs
NONE = 1 << 40
IDLE_S = 60.0
MAX_MESSAGE = 65_536
FILES = 4
HIGHEST_FILE = 4_096


def main() -> None:
    control = socket.socket(fileno=int(sys.argv[2]))
    gc.disable()
    import skops.io  # noqa: F401 - what takes long; onnxruntime starts a thread, and comes after the fork

    import registry.bundle.bundle  # noqa: F401

    gc.freeze()
    gc.enable()
    woken, wakes = os.pipe()
    os.set_blocking(wakes, False)
    os.set_blocking(woken, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wakes)
    running: dict[int, int] = {}  # the status pipe of each child
    closing = False
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        selector.register(woken, selectors.EVENT_READ)
        while True:
            ready = selector.select(IDLE_S)
            if not ready and not running and not closing:
                control.shutdown(socket.SHUT_RD)  # messages that were already sent are still handled
                closing = True
            if any(key.fileobj == woken for key, _ in ready):
                with contextlib.suppress(BlockingIOError):
                    os.read(woken, 4_096)
            _reap(running)
            if any(key.fileobj is control for key, _ in ready):
                message, files = _receive(control)
                if message:
                    _fork(json.loads(message), files, running)
                elif not closing:
                    os._exit(0)  # the parent died or closed the socket; the children end too
                else:
                    selector.unregister(control)
            if closing and not running and control not in selector.get_map():
                return


def _receive(control: socket.socket) -> tuple[bytes, list[int]]:
    message, files, _, _ = socket.recv_fds(control, 1, FILES)
    while message and not message.endswith(b"\n"):
        piece = control.recv(1)
        if not piece or len(message) > MAX_MESSAGE:
            return b"", files
        message += piece
    return message, files


def _fork(settings: dict[str, Any], files: list[int], running: dict[int, int]) -> None:
    requests, replies, errors, status = files
    template = os.getpid()
    child = os.fork()
    if child == 0:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        try:
            os.setsid()
            for number, file in enumerate((requests, errors, errors, replies)):
                os.dup2(_away(file), number)
            os.closerange(4, HIGHEST_FILE)
            _begin(settings, template)
        finally:
            os._exit(1)
    running[child] = status
    try:
        os.write(status, STATUS.pack(child, NONE))
    except OSError:  # the parent gave up before the child started
        os.kill(child, signal.SIGKILL)
    for file in (requests, replies, errors):
        os.close(file)


def _away(file: int) -> int:
    """A duplicate with a number above those that will be replaced."""
    import fcntl

    return fcntl.fcntl(file, fcntl.F_DUPFD, 64)


def _begin(settings: dict[str, Any], template: int) -> None:
    from registry.cage.child import main as child_main

    folder = Path(settings["folder"])
    os.chdir(folder)
    for name in ("HOME", "TMPDIR", "MPLCONFIGDIR", "XDG_CACHE_HOME"):
        os.environ[name] = str(folder)
    child_main(settings, template)


def _reap(running: dict[int, int]) -> None:
    for child in list(running):
        found, status = os.waitpid(child, os.WNOHANG)
        if found == child:
            pipe = running.pop(child)
            with contextlib.suppress(OSError):  # the parent no longer waits for the status
                os.write(pipe, STATUS.pack(child, os.waitstatus_to_exitcode(status)))
            os.close(pipe)
