"""Starts Python so that it imports modules from where this process does."""

from __future__ import annotations

import sys
from pathlib import Path


def python_module(name: str, *arguments: str) -> list[str]:
    """The command for `python -m NAME ARG…`.

    `-m` puts the current folder first on the import path, where a `trainer.py` or `numpy.py` of the user would replace
    ours. `-P` prevents that, unless this process was started that way too.
    """
    here = Path.cwd()
    is_safe = all(Path(entry).absolute() != here for entry in sys.path)
    return [sys.executable, *(["-P"] if is_safe else []), "-m", name, *arguments]
