"""Converts trusted pickles into an exported model. Pickles are loaded only here, in the cage's child.

Loading a pickle runs any code that its author put in, so another process checks the result.
"""

from __future__ import annotations

import io
import json
import re
import warnings
from dataclasses import replace
from typing import Any

from registry.adopt.adopt import adopt
from registry.bundle import bundle
from registry.cage.wire import Convert, Converted
from registry.errors import TypeRefused
from registry.legacy.names_file import ENDINGS, read_names
from registry.model.artifact import manifest_of, pack
from zelador.clock import now_iso
from zelador.errors import InvalidInput

# `_sklearn_version`, the opcodes of a memo and of a text, and the version, as every protocol writes them.
VERSION = re.compile(
    rb"_sklearn_version[^0-9A-Za-z]{0,3}(?:q.|r....|p\d+\n)?[^0-9]{1,6}?"
    rb"(\d{1,2}\.\d{1,3}(?:\.(?:\d{1,3}|dev\d|post\d))?(?:rc\d)?)",
    re.DOTALL,
)


def convert(request: Convert) -> Converted:
    """The model in the pickles as an archive. Raises InvalidInput; TypeRefused for what cannot be registered."""
    warned: list[warnings.WarningMessage] = []
    alone = len(request.files) == 1
    given = {"" if alone else file: _load(data, file, warned) for file, data in request.files.items()}
    metadata: dict[str, Any] = json.loads(request.metadata)
    saved_with = sorted({str(version) for each in warned if (version := _version(each.message)) is not None})
    listed = metadata.pop("features", None)  # an old registry.json may name them
    named = [str(name) for name in listed] if isinstance(listed, list) else []
    features, classes = request.features or named, request.classes
    try:
        adopted = adopt(
            given, metadata, features=features, classes=classes, named_columns=True, optional=request.optional
        )
        files = pack(adopted.upload, request.name)
    except TypeRefused as error:
        if not saved_with:
            raise
        raise TypeRefused(f"{error}. {_older(saved_with)}: train it again with this version") from None
    notes = list(adopted.notes)
    if saved_with:
        notes.append(f"{_older(saved_with)}; compare its answers with those that you know")
    texts = sorted({str(each.message)[:300] for each in warned})[:5]
    imported = {**metadata.get("imported", {}), "warnings": texts, "notes": notes}
    upload = replace(adopted.upload, metadata={**adopted.upload.metadata, "imported": imported})
    return Converted(bundle.pack(manifest_of(upload, request.name, files, now_iso()), files))


def _load(data: bytes, name: str, warned: list[warnings.WarningMessage]) -> Any:
    """Loads a pickle; adds the warnings of the libraries (mostly about versions) to `warned`.

    A text file with names of columns or classes is read.
    """
    import joblib

    if name.lower().endswith(ENDINGS) and (names := read_names(data, name)) is not None:
        return names

    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always")
        try:
            loaded = joblib.load(io.BytesIO(data))
        except MemoryError:
            raise
        except Exception as error:  # noqa: BLE001 - a pickle can raise anything
            warned += found
            versions = sorted({version for each in found if (version := _version(each.message)) is not None})
            versions = versions or versions_in(data)  # it may fail before the first warning
            older = f" {_older(versions)}." if versions else ""
            if isinstance(error, AttributeError | ImportError) and "pycaret" in str(error):
                older += " PyCaret 3 does not have this class, so PyCaret 2 saved it: train it again."
            raise InvalidInput(
                f"{name or 'it'} cannot be loaded ({type(error).__name__}: {_first_line(error)}).{older} A pickle "
                "needs the packages that it was saved with, in versions that still read it"
            ) from None
    warned += found
    return loaded


def versions_in(data: bytes) -> list[str]:
    """The versions of scikit-learn that a pickle says it was saved by. Loads nothing."""
    return sorted({found.decode() for found in VERSION.findall(data)})[:3]


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0][:200].rstrip(": ")


def _version(message: Warning | str) -> str | None:
    """The version of scikit-learn that saved the pickle, if the warning tells it."""
    found = getattr(message, "original_sklearn_version", None)
    return None if found is None else str(found)[:40]


def _older(versions: list[str]) -> str:
    import sklearn

    return f"It was saved by scikit-learn {', '.join(versions)}, and this is {sklearn.__version__}"
