"""Stores the compared candidates in the run's folder, so that a new process continues after them.

The folder is private to the run, and only its own processes write there, so it is safe to read a pickle from it.
"""

from __future__ import annotations

import pickle
from pathlib import Path

from trainer.compare.tried import Tried

FOLDER, STOPPED = "finished", "stopped.txt"


def save(folder: Path, tried: Tried) -> None:
    target = folder / FOLDER / f"{tried.id}.pickle"
    target.parent.mkdir(exist_ok=True)
    unfinished = target.with_suffix(".part")
    unfinished.write_bytes(pickle.dumps(tried))
    unfinished.rename(target)


def read(folder: Path) -> dict[str, Tried]:
    """Returns the compared candidates by id."""
    found = [pickle.loads(path.read_bytes()) for path in (folder / FOLDER).glob("*.pickle")]  # noqa: S301 - own file
    return {tried.id: tried for tried in found}


def stop(folder: Path, why: str) -> None:
    """Marks that no further candidate is compared. The next process finishes the run with those that were."""
    (folder / STOPPED).write_text(why, encoding="utf-8")


def stopped(folder: Path) -> str | None:
    """Returns why no further candidate is compared; None if comparing continues."""
    path = folder / STOPPED
    return path.read_text(encoding="utf-8") if path.exists() else None
