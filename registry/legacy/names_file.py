"""Names of columns or classes in a text file beside a model, such as columns.json or classes.txt.

Nothing else is taken from such a file but a decision threshold beside the names, which would change the answers:
figures, parameters and data do not.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

ENDINGS = (".json", ".txt")
WORDS = frozenset((
    "column", "columns", "col", "cols", "feature", "features", "input", "inputs",
    "class", "classes", "label", "labels", "target", "targets",
))  # fmt: skip
DECIDING = ("threshold", "cutoff", "cut_off")  # keys of a number that changes the label
MAX_BYTES = 1 << 20
MAX_NAMES = 1_000


def names_in(path: Path) -> Any:
    """The names in the file; None if it is not a file of names."""
    if path.suffix.lower() not in ENDINGS or not path.is_file() or path.stat().st_size > MAX_BYTES:
        return None
    return read_names(path.read_bytes(), path.name)


def read_names(data: bytes, file: str) -> Any:
    """A list of names, names by code, or a dict of these by key; None if there are none. Pure."""
    try:
        text = data.decode("utf-8-sig")
        found = json.loads(text) if file.lower().endswith(".json") else [line.strip() for line in text.splitlines()]
    except (ValueError, RecursionError):
        return None
    if _is_about_names(Path(file).stem):
        return _names(found) or _named_parts(found)
    return _named_parts(found)


def _named_parts(found: Any) -> dict[str, Any] | None:
    """The lists of names in a document such as {"columns": […], "accuracy": 0.9}, by key."""
    if not isinstance(found, dict):
        return None
    named = {key: names for key, value in found.items() if _is_about_names(key) and (names := _names(value))}
    deciding = {key: value for key, value in found.items() if any(word in key.lower() for word in DECIDING)}
    return {**named, **deciding} if named else None


def _names(value: Any) -> Any:
    if isinstance(value, list):
        value = [name for name in value if name != ""] if all(isinstance(name, str) for name in value) else None
        return value if value and len(value) <= MAX_NAMES else None
    if not isinstance(value, dict) or not 2 <= len(value) <= MAX_NAMES:
        return None
    if all(key.isascii() and key.isdigit() for key in value) and all(isinstance(name, str) for name in value.values()):
        return {int(key): name for key, name in value.items()}
    return value if all(type(code) is int for code in value.values()) else None


def _is_about_names(text: str) -> bool:
    return not WORDS.isdisjoint(re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text).lower()))
