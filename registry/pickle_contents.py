"""What a pickle would call if it were loaded, found without calling any of it.

Python's own unpickler in Python, with a stand-in for every name: the names are those that a load would resolve, where
a walk over opcodes has to guess them. joblib puts the bytes of arrays between the opcodes; they are passed over.
"""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import math
import pickle
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

LARGEST = 1 << 30  # bytes unpacked
USUAL_MODULES = (
    "sklearn", "numpy", "scipy", "pandas", "pycaret", "lightgbm", "xgboost", "catboost", "imblearn", "joblib.memory",
    "category_encoders", "collections", "datetime",
)  # fmt: skip
USUAL = frozenset(
    {"joblib.numpy_pickle.NumpyArrayWrapper", "copyreg._reconstructor", "_codecs.encode", "functools.partial"}
    | {f"builtins.{name}" for name in ("object", "set", "frozenset", "slice", "range", "bytearray", "complex", "dict")}
    | {f"builtins.{name}" for name in ("list", "tuple", "int", "float", "str", "bool", "bytes", "NoneType")}
)
ODD = (
    "numpy.f2py",
    "numpy.distutils",
    "numpy.testing",
    "pandas.eval",
    "scipy.weave",
    "pycaret.utils",
    "sklearn.utils._testing",
)
ARRAY = "joblib.numpy_pickle.NumpyArrayWrapper"


@dataclass(frozen=True, slots=True)
class Contents:
    """`names` are what a load would import and may call; `unusual` those that a saved model has no need of."""

    names: tuple[str, ...]
    unusual: tuple[str, ...]
    trouble: str | None = None  # why the file could not be read to its end: then the lists are not the whole truth


def contents(data: bytes) -> Contents:
    """Nothing in `data` is run, imported or constructed."""
    scan = _Scan()
    trouble = None
    try:
        scan.read(io.BytesIO(unpacked(data)))
    except Exception as error:  # noqa: BLE001 - bytes of a stranger can end the unpickler in any way
        trouble = f"{type(error).__name__}: {str(error)[:200]}"
    names = tuple(sorted(scan.names))
    return Contents(names, tuple(name for name in names if not _usual(name)), trouble)


def unpacked(data: bytes) -> bytes:
    """As joblib compresses: by the first bytes. Raises ValueError when it would be too large."""
    opening: dict[bytes, Callable[[io.BytesIO], Any]] = {
        b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
        b"BZ": bz2.BZ2File,
        b"\xfd7zXZ": lzma.LZMAFile,
        b"\x5d\x00": lzma.LZMAFile,
    }
    for magic, reader in opening.items():
        if data.startswith(magic):
            found: bytes = reader(io.BytesIO(data)).read(LARGEST + 1)
            break
    else:
        found = zlib.decompressobj().decompress(data, LARGEST + 1) if data.startswith(b"\x78") else data
    if len(found) > LARGEST:
        raise ValueError("it unpacks to more than a gigabyte")
    return found


def _usual(name: str) -> bool:
    if name in USUAL:
        return True
    return any(name.startswith(f"{module}.") for module in USUAL_MODULES) and not name.startswith(ODD)


class _Inert:
    """Stands for anything: takes every argument, state and item, and does nothing with them."""

    known_as = ""

    def __new__(cls, *_args: Any, **_kwargs: Any) -> _Inert:
        return object.__new__(cls)

    def __init__(self, *args: Any, **_kwargs: Any) -> None:
        self.arguments = args
        self.state: Any = None

    def __setstate__(self, state: Any) -> None:
        self.state = state

    def __call__(self, *_args: Any, **_kwargs: Any) -> _Inert:
        return self

    def __setitem__(self, _key: Any, _value: Any) -> None: ...
    def append(self, _item: Any) -> None: ...
    def extend(self, _items: Any) -> None: ...
    def add(self, _item: Any) -> None: ...


class _Scan:
    def __init__(self) -> None:
        self.names: set[str] = set()

    def read(self, file: io.BytesIO) -> None:
        """One pickle, and those that joblib nests for arrays of objects."""
        _Unpickler(file, self).load()

    def stand_in(self, name: str) -> type[_Inert]:
        self.names.add(name)
        return type("Inert", (_Inert,), {"known_as": name})


PYTHONS_OWN: Any = vars(pickle)["_Unpickler"]  # written in Python, so that it can be watched


class _Unpickler(PYTHONS_OWN):  # type: ignore[misc]
    dispatch: ClassVar[dict[int, Any]] = dict(PYTHONS_OWN.dispatch)

    def __init__(self, file: io.BytesIO, scan: _Scan) -> None:
        super().__init__(file)
        self._file = file
        self._scan = scan

    def find_class(self, module: str, name: str) -> Any:
        return self._scan.stand_in(f"{module}.{name}")

    def get_extension(self, code: int) -> None:
        self.append(self._scan.stand_in(f"copyreg.extension.{code}"))

    def persistent_load(self, _pid: Any) -> Any:
        return self._scan.stand_in("persistent")()

    def load_build(self) -> None:
        super().load_build()
        built = self.stack[-1]
        if isinstance(built, _Inert) and built.known_as == ARRAY:
            self._pass_over(built.state)

    dispatch[pickle.BUILD[0]] = load_build

    def _pass_over(self, state: dict[str, Any]) -> None:
        """The array's own bytes stand in the file behind its wrapper."""
        kind: str = state["dtype"].arguments[0]
        if kind.startswith("O"):
            self._scan.read(self._file)
            return
        if state.get("numpy_array_alignment_bytes") is not None:
            self._file.seek(self._file.read(1)[0], io.SEEK_CUR)
        self._file.seek(math.prod(state["shape"]) * _size(kind), io.SEEK_CUR)


def _size(kind: str) -> int:
    size = int(kind.lstrip("|<>=").lstrip("biufcSVUMm") or 1)
    return size * 4 if "U" in kind else size
