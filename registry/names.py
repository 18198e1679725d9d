"""Names of models and runs: 1 to 64 letters, digits, `_`, `-` or `.`, which cannot form a path."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from registry.errors import DuplicateName
from zelador.errors import InvalidInput

DEVICES = re.compile(r"(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\..*)?", re.IGNORECASE)  # on Windows, with any extension
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")


def check_name(name: str) -> str:
    """Returns `name` if it is valid. Raises InvalidInput (a ValueError)."""
    if not isinstance(name, str) or not NAME.fullmatch(name) or ".." in name or name.endswith("."):
        raise InvalidInput(
            f"{str(name)[:80]!r} is not a name: 1 to 64 letters, digits, '_', '-' or '.', "
            "that do not start with '-' or '.', do not end with '.', and have no two dots in a row",
            field="name",
        )
    return name


def check_new_name(name: str, taken: Iterable[str]) -> str:
    """Returns `name` if no model has it, and every file system can distinguish it from those in `taken`.

    Raises InvalidInput, DuplicateName.
    """
    if DEVICES.fullmatch(check_name(name)):
        raise InvalidInput(
            f"{name!r} is the name of a device on Windows, where no folder can have it; choose another", field="name"
        )
    folded = name.casefold()
    for other in taken:
        if other == name:
            raise DuplicateName(
                f"there is a model {name!r} already; choose another name (a model is never overwritten)", field="name"
            )
        if other.casefold() == folded:
            raise DuplicateName(
                f"there is a model {other!r} already, and Windows and macOS keep {name!r} in the same folder; choose "
                "another name",
                field="name",
            )
    return name


def check_new_names(names: Sequence[str], taken: Iterable[str]) -> None:
    """Checks names for models that are registered together, as `check_new_name` does, and against each other.

    Raises InvalidInput, DuplicateName.
    """
    existing, given = tuple(taken), dict[str, str]()
    for name in names:
        check_new_name(name, existing)
        if (other := given.setdefault(name.casefold(), name)) != name or names.count(name) > 1:
            also = "" if other == name else f" (as {other!r}, which Windows and macOS keep in the same folder)"
            raise InvalidInput(f"names: {name!r} is named twice{also}; each model needs a different name", field="name")
