"""Who changes something from the command line or a script, as the log names them."""

from __future__ import annotations

import getpass
import os


def user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user need not have a name
        return f"user {os.getuid()}"
