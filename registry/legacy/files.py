"""Imports old models: folders of .pkl and .joblib files, with or without a registry.json.

A pickle can run any code. So `look` shows what each file would call, without running it; `bring_in` loads only a
trusted file, only the bytes that were inspected, in the cage (registry/cage), and saves the model as skops, so that
it does not have to be trusted again. A file that could not be followed to its end must also be named explicitly.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from registry.cage.check import convert_pickle
from registry.errors import TypeRefused
from registry.legacy.pickles.contents import A_HELP, MAX_UNPACKED, Contents, contents, unpacked
from registry.names import NAME
from zelador.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from registry.log.state import Model
    from registry.registry import Registry

ENDINGS = (".pkl", ".pickle", ".joblib")
INDEX = "registry.json"
MAX_BYTES = 1 << 30  # of a model, unpacked


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


def look(path: Path) -> list[Found]:
    """The models at `path`, a file or a folder. Loads nothing. Raises NotFound."""
    if path.is_file():
        return [_look_at(path, path.stem, {})]
    if not path.is_dir():
        raise NotFound(f"there is nothing at {path}")
    files = sorted(file for file in path.rglob("*") if file.suffix in ENDINGS and file.is_file())
    told = _index(path)
    found = []
    for name, entry in told.items():
        file = _named(path, files, str(entry.get("path", "")))
        if file is None:
            nothing = Contents((), ())
            found.append(Found(_safe(name), path / INDEX, "", nothing, trouble=f"{entry.get('path')!r} is not there"))
        else:
            files.remove(file)
            found.append(_look_at(file, name, entry))
    return found + [_look_at(file, file.stem, {}) for file in files]


def bring_in(
    found: Found,
    registry: Registry,
    *,
    trust: bool,
    anyway: bool = False,
    by: str,
    name: str | None = None,
    features: Sequence[str] = (),
) -> Model:
    """Loads an inspected file and registers the model. `features` names its columns, in order.

    `anyway`: also a file that could not be followed to its end. Raises InvalidInput without `trust`, or if the file has
    changed, cannot be loaded, or has other columns; TypeRefused and DuplicateName as `save`.
    """
    archive = converted(found, trust=trust, anyway=anyway, name=name, features=features)
    incoming = registry.admit(
        archive, MAX_BYTES, trust=True
    )  # checked by another process than the one that loaded the pickle
    why = f"imported from {found.path.name}"
    return registry.add(name or found.name, incoming.files, incoming.manifest, by=by, why=why)


def converted(
    found: Found, *, trust: bool, anyway: bool = False, name: str | None = None, features: Sequence[str] = ()
) -> bytes:
    """Loads an inspected file in the cage; returns it as an exported file. Raises as `bring_in`."""
    if found.trouble:
        raise InvalidInput(f"{found.name}: {found.trouble}")
    if not trust:
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
    imported = {"file": found.path.name, "sha256": found.sha256, "saved_at": found.saved_at}
    try:
        return convert_pickle(_plain(data), name or found.name, {**found.metadata, "imported": imported}, features)
    except TypeRefused as error:
        raise TypeRefused(f"{found.path.name}: {error}") from None


def _plain(data: bytes) -> bytes:
    """The inspected bytes, so that nothing else is decompressed at load."""
    try:
        return unpacked(data)
    except Exception:  # noqa: BLE001 - what cannot be decompressed here was named with --trust-anyway
        return data


def _look_at(path: Path, name: str, entry: dict[str, Any]) -> Found:
    if path.stat().st_size > MAX_UNPACKED:
        return Found(_safe(name), path, "", Contents((), ()), trouble="it has more than a gigabyte")
    data = path.read_bytes()
    metadata = entry.get("metadata") if isinstance(entry.get("metadata"), dict) else {}
    safe = _safe(name)
    if safe != name:
        metadata = {**(metadata or {}), "original_name": name}
    saved_at = entry.get("saved_at")
    return Found(
        safe,
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


def _named(folder: Path, files: list[Path], told: str) -> Path | None:
    """The file in the folder for an entry of the index, whose path was relative to an unknown working directory."""
    parts = Path(told.replace("\\", "/")).parts
    for start in range(len(parts)):
        if (wanted := folder.joinpath(*parts[start:])) in files:
            return wanted
    return None


def _safe(name: str) -> str:
    """A valid name: other characters are replaced by `_`."""
    if NAME.fullmatch(name) and ".." not in name and not name.endswith("."):
        return name
    return re.sub(r"\.{2,}", ".", re.sub(r"[^A-Za-z0-9_.-]", "_", name))[:64].strip(".-") or "model"
