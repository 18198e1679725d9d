"""Who changes something from the command line or a script, and where their `~` is."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from zelador.errors import InvalidInput


def user() -> str:
    """The name of the process's user id. Not by LOGNAME or USER, which anybody sets to what they like."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except (KeyError, OSError):  # a container's user need not have a name
        return f"user {os.getuid()}"


def expanded(path: Path) -> Path:
    """`path` with `~` as the home folder, absolute. Raises InvalidInput where that is not known."""
    try:
        return path.expanduser().absolute()
    except RuntimeError:
        raise InvalidInput(f"{path}: this user has no home folder; write the whole path, or set HOME") from None
