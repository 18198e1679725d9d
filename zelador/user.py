"""The user of this process: the name for history and audit log, and the home folder."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from zelador.errors import InvalidInput


def user() -> str:
    """The name of the process's user id. Ignores LOGNAME and USER, which anyone can set."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except (KeyError, OSError):  # a container's user may have no name
        return f"user {os.getuid()}"


def expanded(path: Path) -> Path:
    """`path` as an absolute path, with `~` expanded. Raises InvalidInput if the home folder is not known."""
    try:
        return path.expanduser().absolute()
    except RuntimeError:
        raise InvalidInput(f"{path}: this user has no home folder; use an absolute path, or set HOME") from None
