"""Imports old models: pickles of any ending, one or a folder of them, with or without a registry.json.

A pickle can run any code. So `look` shows what each file would call, without running it; `bring_in` loads only a
trusted file, only the bytes that were inspected, in the cage (registry/cage), and saves the model as skops, so that
it does not have to be trusted again. A file that could not be followed to its end must also be named explicitly.
A scaler or label encoder in a file of its own is found too (beside.py), and loaded together with its model.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from registry.cage.check import convert_pickle
from registry.errors import TypeRefused
from registry.legacy.beside import beside
from registry.legacy.naming import names_of, safe
from registry.legacy.pickles.contents import A_HELP, MAX_UNPACKED, Contents, contents, unpacked
from registry.legacy.walk import Walk, walk
from zelador.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from registry.log.state import Model
    from registry.registry import Registry

INDEX = "registry.json"
MAX_BYTES = 1 << 30  # of a model, unpacked
MAX_NEIGHBORS = 50  # files beside a single one that are looked at
MAX_NEIGHBOR = 1 << 26  # bytes of each
NOTHING = Contents((), ())


@dataclass(frozen=True, slots=True)
class Found:
    """A file that may be imported. `trouble`: why it cannot be."""

    name: str  # that it would be registered under
    path: Path
    sha256: str
    contents: Contents
    metadata: dict[str, Any] = field(default_factory=dict)
    saved_at: str | None = None
    trouble: str | None = None
    beside: tuple[Found, ...] = ()  # files that are loaded together with it
    optional: bool = False  # `beside` may belong to another model of the folder
    neighbors: tuple[Path, ...] = ()  # files that may belong to it, and are not loaded: nobody named them

    @property
    def files(self) -> tuple[Found, ...]:
        return (self, *self.beside)


@dataclass(frozen=True, slots=True)
class Look:
    """`passed_over`: files that are no pickles, or belong to no model, and why."""

    found: list[Found]
    passed_over: Mapping[str, str]


def look(path: Path, joined: Sequence[Path] = (), alone: bool = False) -> list[Found]:
    """The models at `path`, a file or a folder. Loads nothing. Raises NotFound."""
    return look_at(path, joined, alone).found


def look_at(path: Path, joined: Sequence[Path] = (), alone: bool = False) -> Look:
    """As `look`, with the files that are passed over.

    `joined`: files that belong to the single model at `path`. `alone`: look for no files that belong to a model.
    """
    if path.is_file():
        return Look([_single(path, joined, alone)], {})
    if not path.is_dir():
        raise NotFound(f"there is nothing at {path}")
    walked = walk(path)
    told = _index(path)
    listed: dict[Path, tuple[str, dict[str, Any]]] = {}
    missing = []
    for name, entry in told.items():
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
    looked = {file: _look_at(file, *listed.get(file, (names.get(file, file.stem), {}))) for file in (*listed, *free)}
    roles = {file: found.contents.role for file, found in looked.items()}
    given = {file.resolve() for file in joined}
    models = [file for file in looked if file in listed or roles[file] == "model"]
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
            passed[str(file.relative_to(path))] = "it holds no model" + ("" if alone else ", and none lies beside it")
    if not found and not missing:  # only scalers, encoders or tables: refused one by one, with the reason
        return Look([looked[file] for file in others], walked.passed_over)
    return Look([*missing, *found], passed)


def look_at_file(path: Path) -> Found:
    """One file, whatever lies beside it. Raises NotFound."""
    if not path.is_file():
        raise NotFound(f"{path} does not exist")
    return _look_at(path, path.stem, {})


def _single(path: Path, joined: Sequence[Path], alone: bool) -> Found:
    found = _look_at(path, path.stem, {})
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


def bring_in(
    found: Found,
    registry: Registry,
    *,
    trust: bool,
    anyway: Collection[Path] = (),
    by: str,
    name: str | None = None,
    features: Sequence[str] = (),
    classes: Sequence[str] = (),
) -> Model:
    """Loads an inspected file and registers the model.

    `features` names its columns, in order, `classes` its classes. `anyway`: also these files, which could not be
    followed to their end. Raises InvalidInput without `trust`, or if the file has changed, cannot be loaded, or has
    other columns; TypeRefused and DuplicateName as `save`.
    """
    archive = converted(found, trust=trust, anyway=anyway, name=name, features=features, classes=classes)
    incoming = registry.admit(
        archive, MAX_BYTES, trust=True
    )  # checked by another process than the one that loaded the pickle
    why = f"imported from {found.path.name}"
    return registry.add(name or found.name, incoming.files, incoming.manifest, by=by, why=why)


def converted(
    found: Found,
    *,
    trust: bool,
    anyway: Collection[Path] = (),
    name: str | None = None,
    features: Sequence[str] = (),
    classes: Sequence[str] = (),
) -> bytes:
    """Loads an inspected file in the cage; returns it as an exported file. Raises as `bring_in`."""
    if found.trouble:
        raise InvalidInput(f"{found.name}: {found.trouble}")
    named = {path.resolve() for path in anyway}
    files = {}
    for each in found.files:
        if each.trouble:
            raise InvalidInput(f"{each.name}: {each.trouble}")
        files[_label(each, found)] = _read(each, trust, each.path.resolve() in named)
    if found.neighbors:
        near = ", ".join(file.name for file in found.neighbors)
        join = " ".join(f"--with {file}" for file in found.neighbors)
        raise InvalidInput(
            f"{near} in the same folder: a model that was fitted on scaled rows or encoded labels answers wrongly "
            f"without its scaler or encoder. Join what belongs to it ({join}), or say that it works without: --alone"
        )
    imported: dict[str, Any] = {"file": found.path.name, "sha256": found.sha256, "saved_at": found.saved_at}
    if found.beside:
        imported["joined"] = {_label(each, found): each.sha256 for each in found.beside}
    facts = {**found.metadata, "imported": imported}
    try:
        return convert_pickle(files, name or found.name, facts, features, classes, found.optional)
    except TypeRefused as error:
        raise TypeRefused(f"{found.path.name}: {error}") from None


def _label(each: Found, found: Found) -> str:
    """The name of a file in messages: with its folder, if that is another one than the model's."""
    return each.path.name if each.path.parent == found.path.parent else str(each.path)


def _read(found: Found, trust: bool, anyway: bool) -> bytes:
    """The file's bytes, decompressed: those that were inspected. Raises InvalidInput."""
    if not trust and not anyway:
        raise InvalidInput(
            f"{found.path.name} is a pickle, and loading it can run any code. Check what it would call "
            f"({', '.join(found.contents.unusual) or 'nothing unusual'}), "
            f"and use --trust only if you trust its author. {A_HELP}"
        )
    if found.contents.trouble and not anyway:
        raise InvalidInput(
            f"{found.path.name} cannot be followed to its end ({found.contents.trouble}), so it is unknown what it "
            f"would call; if you trust it anyway, name it: --trust-anyway {found.path}"
        )
    data = found.path.read_bytes()
    if hashlib.sha256(data).hexdigest() != found.sha256:
        raise InvalidInput(f"{found.path} has changed since it was looked at; look again")
    return _plain(data)


def _plain(data: bytes) -> bytes:
    """The inspected bytes, so that nothing else is decompressed at load."""
    try:
        return unpacked(data)
    except Exception:  # noqa: BLE001 - what cannot be decompressed here was named with --trust-anyway
        return data


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


def _index(folder: Path) -> dict[str, dict[str, Any]]:
    """The folder's registry.json; empty if it is missing or damaged."""
    try:
        told = json.loads((folder / INDEX).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(told, dict):
        return {}
    return {str(name): entry for name, entry in told.items() if isinstance(entry, dict)}


def _named(folder: Path, files: Sequence[Path], told: str) -> Path | None:
    """The file in the folder for an entry of the index, whose path was relative to an unknown working directory."""
    parts = Path(told.replace("\\", "/")).parts
    for start in range(len(parts)):
        if (wanted := folder.joinpath(*parts[start:])) in files:
            return wanted
    return None
