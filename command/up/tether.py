"""Runs a program that dies with its parent: `python tether.py PARENT_PID PROGRAM ARG…`.

The program keeps the process id. This file imports no package of Zelador, so that it starts in milliseconds.
"""

import ctypes
import os
import signal
import sys
import time

PR_SET_PDEATHSIG = 1


def main() -> None:
    parent, command = int(sys.argv[1]), sys.argv[2:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    else:
        _watch(parent)
    if os.getppid() != parent:  # the parent died before PDEATHSIG was set
        sys.exit(1)
    os.execvp(command[0], command)  # noqa: S606


def _watch(parent: int) -> None:
    """On systems without PDEATHSIG, forks a process that polls the parent, and ends the program when it is gone."""
    program = os.getpid()
    if os.fork() != 0:
        return
    while os.getppid() == program:
        time.sleep(0.5)
        try:
            os.kill(parent, 0)
        except ProcessLookupError:
            os.kill(program, signal.SIGTERM)
            break
    os._exit(0)


if __name__ == "__main__":
    main()
