"""Names for files to be registered: the file's own, with parts of its path if several are the same."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from registry.legacy.walk import ENDINGS
from registry.names import NAME

MAX_NAME = 64


def names_of(folder: Path, files: Sequence[Path], taken: Iterable[str] = ()) -> dict[Path, str]:
    """A name for each file: its own if it is unique, else with the folders that differ."""
    alike: dict[str, list[Path]] = {}
    for file in files:
        alike.setdefault(safe(stem(file)).casefold(), []).append(file)
    used = {safe(name).casefold() for name in taken}
    found: dict[Path, str] = {}
    for alike_as, group in alike.items():
        if len(group) == 1 and alike_as not in used:
            found[group[0]] = stem(group[0])
            used.add(alike_as)
            continue
        for file, name in zip(group, _told_apart(folder, group), strict=True):
            if safe(name).casefold() in used or len(name) > MAX_NAME:
                name = f"{name[: MAX_NAME - 9]}-{hashlib.sha256(str(file).encode()).hexdigest()[:8]}"
            found[file] = name
            used.add(safe(name).casefold())
    return found


def _told_apart(folder: Path, group: Sequence[Path]) -> list[str]:
    """`run1-model` and `run2-model` for run1/artifacts/model.pkl and run2/artifacts/model.pkl."""
    paths = [file.relative_to(folder) for file in group]
    common = set.intersection(*({*path.parts[:-1]} for path in paths)) if len(paths) > 1 else set()
    names = ["-".join([*(part for part in path.parts[:-1] if part not in common), stem(path)]) for path in paths]
    if len({safe(name).casefold() for name in names}) == len(names):
        return names
    return ["-".join([*path.parts[:-1], path.name.replace(".", "-")]) for path in paths]


def stem(file: Path) -> str:
    """The file's name without its ending, or endings: `press` of press.sav and of press.pkl.gz."""
    inner = Path(file.stem)
    return inner.stem if inner.suffix.lower() in ENDINGS and file.suffix.lower() not in ENDINGS else file.stem


def safe(name: str) -> str:
    """A valid name: other characters are replaced by `_`."""
    if NAME.fullmatch(name) and ".." not in name and not name.endswith("."):
        return name
    return re.sub(r"\.{2,}", ".", re.sub(r"[^A-Za-z0-9_.-]", "_", name))[:MAX_NAME].strip(".-") or "model"
