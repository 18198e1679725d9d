"""Loads old models that a person trusts, and makes bundles of them.

Only the bytes that were inspected are loaded, in the cage (registry/cage), and the model in the bundle is skops, so
that it does not have to be trusted again. A file that could not be followed to its end must also be named explicitly.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from registry.cage.check import convert_pickle
from registry.errors import TypeRefused
from registry.legacy.look import Found
from registry.legacy.pickles.contents import A_HELP, unpacked
from zelador.errors import InvalidInput


def converted(
    found: Found,
    *,
    trust: bool,
    anyway: Collection[Path] = (),
    name: str | None = None,
    features: Sequence[str] = (),
    classes: Sequence[str] = (),
) -> bytes:
    """Loads an inspected file in the cage; returns it as a bundle.

    `features` names its columns, in order, `classes` its classes. `anyway`: also these files, which could not be
    followed to their end. Raises InvalidInput without `trust`, or if the file has changed, cannot be loaded, or has
    other columns; TypeRefused.
    """
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
