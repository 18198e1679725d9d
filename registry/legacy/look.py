"""Looks at old models: pickles of any ending, one or a folder of them, with or without a registry.json.

Nothing is loaded: `look` shows what each pickle would call, because a pickle can run any code (load.py loads it).
A scaler, a label encoder or a list of names in a file of its own is found too, with the model that it belongs to
(beside.py).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from registry.legacy.beside import beside
from registry.legacy.names_file import names_in
from registry.legacy.naming import names_of, safe, stem
from registry.legacy.pickles.contents import MAX_UNPACKED, Contents, contents
from registry.legacy.walk import Walk, walk
from zelador.errors import NotFound

INDEX = "registry.json"
MAX_NEIGHBORS = 50  # other files in the folder that are inspected
MAX_NEIGHBOR = 1 << 26  # bytes of each
NOTHING = Contents((), ())


@dataclass(frozen=True, slots=True)
class Found:
    """A file that may be imported. `trouble`: why it may not."""

    name: str  # that it would be registered under
    path: Path
    sha256: str
    contents: Contents
    metadata: dict[str, Any] = field(default_factory=dict)
    saved_at: str | None = None
    trouble: str | None = None
    beside: tuple[Found, ...] = ()  # files that are loaded together with it
    optional: bool = False  # `beside` may belong to another model of the folder
    neighbors: tuple[Path, ...] = ()  # files that may belong to it, but are not loaded because nobody named them

    @property
    def files(self) -> tuple[Found, ...]:
        return (self, *self.beside)


@dataclass(frozen=True, slots=True)
class Look:
    """`passed_over`: files that are not pickles, or that belong to no model, with the reason."""

    found: list[Found]
    passed_over: Mapping[str, str]


def look(path: Path, joined: Sequence[Path] = (), alone: bool = False) -> list[Found]:
    """The models at `path`, a file or a folder. Loads nothing. Raises NotFound."""
    return look_at(path, joined, alone).found


def look_at(path: Path, joined: Sequence[Path] = (), alone: bool = False) -> Look:
    """Looks at old models like `look`, and also returns the files that are skipped.

    `joined`: files that belong to the single model at `path`. `alone`: look for no files that belong to a model.
    """
    if path.is_file():
        return Look([_single(path, joined, alone)], {})
    if not path.is_dir():
        raise NotFound(f"there is nothing at {path}")
    walked = walk(path)
    listing = _index(path)
    listed: dict[Path, tuple[str, dict[str, Any]]] = {}
    missing = []
    for name, entry in listing.items():
        file = _named(path, walked.pickles, str(entry.get("path", "")))
        if file is None or file in listed:
            why = f"{entry.get('path')!r} is not there" if file is None else f"{file.name} is named twice"
            missing.append(Found(safe(name), path / INDEX, "", NOTHING, trouble=why))
        else:
            listed[file] = (name, entry)
    return _sorted(path, walked, listed, missing, joined, alone)


def _sorted(
    path: Path,
    walked: Walk,
    listed: Mapping[Path, tuple[str, dict[str, Any]]],
    missing: list[Found],
    joined: Sequence[Path],
    alone: bool,
) -> Look:
    free = [file for file in walked.pickles if file not in listed]
    names = {**names_of(path, free, [name for name, _ in listed.values()])}
    looked = {file: _look_at(file, *listed.get(file, (names.get(file, stem(file)), {}))) for file in (*listed, *free)}
    roles = {file: found.contents.role for file, found in looked.items()}
    looked.update((file, _names_file(file)) for file in walked.names)
    given = {file.resolve() for file in joined}
    models = [file for file in looked if file in listed or roles.get(file) == "model"]
    models = [file for file in models if file.resolve() not in given]
    others = [file for file in looked if file not in models]
    groups = {} if alone else beside(path, models, others)
    found = []
    for file in models:
        group = groups.get(file)
        parts = (
            [look_at_file(each) for each in joined]
            if given
            else [looked[each] for each in group.files]
            if group
            else []
        )
        found.append(replace(looked[file], beside=tuple(parts), optional=bool(group and group.shared and not given)))
    used = {each for group in groups.values() for each in group.files}
    passed = dict(walked.passed_over)
    for file in others:
        if file not in used and file.resolve() not in given:
            passed[str(file.relative_to(path))] = "it holds no model" + (
                "" if alone else ", and there is none beside it"
            )
    if not found and not missing:  # only scalers, encoders or tables: refused one by one, with the reason
        return Look([looked[file] for file in others if file not in walked.names], walked.passed_over)
    return Look([*missing, *found], passed)


def look_at_file(path: Path) -> Found:
    """One file, without its neighbors. Raises NotFound."""
    if not path.is_file():
        raise NotFound(f"{path} does not exist")
    return _look_at(path, stem(path), {}) if names_in(path) is None else _names_file(path)


def _single(path: Path, joined: Sequence[Path], alone: bool) -> Found:
    found = _look_at(path, stem(path), {})
    if joined:
        return replace(found, beside=tuple(map(look_at_file, joined)))
    if alone or found.contents.role != "model":
        return found
    return replace(found, neighbors=tuple(_neighbors(path)))


def _neighbors(path: Path) -> list[Path]:
    """The files in the same folder that a model may need, such as a scaler."""
    near = sorted(file for file in walk(path.parent, deep=False).pickles if file.name != path.name)
    small = [file for file in near[:MAX_NEIGHBORS] if file.stat().st_size <= MAX_NEIGHBOR]
    return [file for file in small if (read := contents(file.read_bytes())).role == "beside" and not read.trouble]


def _look_at(path: Path, name: str, entry: dict[str, Any]) -> Found:
    if path.stat().st_size > MAX_UNPACKED:
        return Found(safe(name), path, "", NOTHING, trouble="it has more than a gigabyte")
    data = path.read_bytes()
    metadata = entry.get("metadata") if isinstance(entry.get("metadata"), dict) else {}
    plain = safe(name)
    if plain != name:
        metadata = {**(metadata or {}), "original_name": name}
    saved_at = entry.get("saved_at")
    return Found(
        plain,
        path,
        hashlib.sha256(data).hexdigest(),
        contents(data),
        metadata or {},
        saved_at if isinstance(saved_at, str) else None,
    )


def _names_file(path: Path) -> Found:
    """Names of columns or classes: text, which calls nothing."""
    return Found(stem(path), path, hashlib.sha256(path.read_bytes()).hexdigest(), Contents((), (), role="beside"))


def _index(folder: Path) -> dict[str, dict[str, Any]]:
    """The folder's registry.json; empty if it is missing or damaged."""
    try:
        listing = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(listing, dict):
        return {}
    return {str(name): entry for name, entry in listing.items() if isinstance(entry, dict)}


def _named(folder: Path, files: Sequence[Path], entry: str) -> Path | None:
    """The file in the folder for an entry of the index, whose path was relative to an unknown working directory."""
    parts = Path(entry.replace("\\", "/")).parts
    for start in range(len(parts)):
        if (wanted := folder.joinpath(*parts[start:])) in files:
            return wanted
    return None
