"""Names of columns or classes in a file beside a model, such as columns.json, classes.txt or classes.npy.

Nothing else is taken from such a file but a decision threshold beside the names, which would change the answers:
figures, parameters and data do not.
"""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

ENDINGS = (".json", ".txt", ".csv", ".yaml", ".yml", ".npy")
WORDS = frozenset((
    "column", "columns", "col", "cols", "feature", "features", "input", "inputs",
    "class", "classes", "label", "labels", "target", "targets",
))  # fmt: skip
# Words in the key of a number that changes the label.
DECIDING = frozenset(("threshold", "thresholds", "thresh", "thr", "boundary"))
CODED = re.compile(r"\s*[\"']?(\d{1,4})[\"']?\s*[:=,;\s]\s*[\"']?(.*?)[\"']?\s*", re.ASCII)  # `0: normal`, `0,normal`
NAMED = re.compile(r"[^\s\d,;:=][^,;:=]*")
MAX_BYTES = 1 << 20
MAX_NAMES = 1_000


def names_in(path: Path) -> Any:
    """The names in the file; None if it is not a file of names."""
    if path.suffix.lower() not in ENDINGS or not path.is_file() or path.stat().st_size > MAX_BYTES:
        return None
    return read_names(path.read_bytes(), path.name)


def read_names(data: bytes, file: str) -> Any:
    """A list of names, names by code, or a dict of these by key; None if there are none. Pure."""
    kind = Path(file).suffix.lower()
    try:
        if kind == ".npy":
            found = np.load(io.BytesIO(data), allow_pickle=False).tolist()
        elif kind == ".json":
            found = json.loads(data.decode("utf-8-sig"))
        else:
            found = _lines(data.decode("utf-8-sig"), strict=kind != ".txt")
    except (ValueError, OSError, EOFError, RecursionError):
        return None
    if is_about_names(file):
        return _names(found) or _named_parts(found)
    return _named_parts(found)


def _named_parts(found: Any) -> dict[str, Any] | None:
    """The lists of names in a document such as {"columns": […], "accuracy": 0.9}, by key."""
    if not isinstance(found, dict):
        return None
    named = {key: names for key, value in found.items() if _says_names(key) and (names := _names(value))}
    deciding = {key: value for key, value in found.items() if is_deciding(key)}
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


def _lines(text: str, strict: bool) -> Any:
    """Names, one a line (also as a list of YAML), or names by code, such as `0: normal`; a header is passed over.

    `strict`: lines with more than a name are data, and None.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    coded = [CODED.fullmatch(line) for line in lines]
    if len(coded) > 2 and coded[0] is None:
        coded = coded[1:]
    if coded and all(coded):
        by_code = {each[1]: each[2] for each in coded if each}
        whole = len(set(by_code.values())) == len(coded) and all(by_code.values())
        if whole and sorted(map(int, by_code)) == list(range(len(coded))):
            return by_code
    found = [line.removeprefix("- ").strip("\"' ") for line in lines]
    if not strict:
        return found
    if len(found) == 1:
        found = [name.strip("\"' ") for name in found[0].strip("[]").split(",")]
    elif len(found) > 2 and _says_names(found[0]):
        found = found[1:]
    return found if all(map(NAMED.fullmatch, found)) else None


def is_about_names(file: str) -> bool:
    """Whether the name of a file says that names are in it."""
    return _says_names(Path(file).stem)


def is_deciding(key: str) -> bool:
    """Whether a number under this key is a decision threshold."""
    words = words_of(key)
    return not DECIDING.isdisjoint(words) or "cutoff" in "".join(words)


def words_of(text: str) -> list[str]:
    """The words of a name such as `class_names`, `classNames` or `class-names`, in lower case."""
    return re.findall(r"[a-z]+|\d+", re.sub(r"(?<=[a-z])(?=[A-Z])", "_", text).lower())


def _says_names(text: str) -> bool:
    return not WORDS.isdisjoint(words_of(text))
