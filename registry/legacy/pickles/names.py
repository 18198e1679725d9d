"""The usual names in saved models: exact names from usual.txt, and how they may be called.

A whole module is never usual: most modules contain something that reads files or runs its input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from registry.legacy.pickles.values import Name


def _listed() -> Iterator[tuple[str, str]]:
    """The lines as section and name."""
    section = module = ""
    for line in Path(__file__).with_name("usual.txt").read_text(encoding="ascii").splitlines():
        if line.startswith("#"):
            continue
        if not line.startswith(" "):
            section = line
            continue
        head, colon, rest = line.partition(":")
        module, names = (head.strip(), rest) if colon else (module, line)
        yield from ((section, f"{module}.{name}") for name in names.split())


LISTED = tuple(_listed())
CALLED = frozenset(name for section, name in LISTED if section == "called")
USUAL = frozenset(name for _, name in LISTED)
APPENDED = frozenset({"collections.deque"})
FILLED = frozenset(
    {"collections.OrderedDict", "collections.defaultdict", "collections.Counter", "sklearn.utils._bunch.Bunch"}
)
BASES = frozenset(f"builtins.{name}" for name in ("object", "dict", "list", "tuple", "set", "float", "int", "str"))

Arguments = tuple[Any, ...]


def is_usual(name: Name) -> bool:
    """Compares the exact name: a dotted name such as `memory.os.system` reaches other modules from a usual one."""
    return "." not in name.qualname and name.text in USUAL


def fits(text: str, arguments: Arguments) -> bool:
    """True if a usual name is called as saved models call it: some names call or construct their arguments."""
    check = CHECKS.get(text)
    return check is None or check(arguments)


def _first_of(*modules: str) -> Callable[[Arguments], bool]:
    """Returns a check that the first argument, a class to be constructed, is from one of these modules."""
    return lambda given: bool(given) and isinstance(given[0], Name) and given[0].module.startswith(modules)


def _random(given: Arguments) -> bool:
    """The second argument is called with the first."""
    constructors = all(isinstance(each, Name) and each.module == "numpy.random._pickle" for each in given[1:])
    return len(given) <= 2 and isinstance(given[0] if given else "", str) and constructors


def _array(given: Arguments) -> bool:
    return len(given) == 3 and _first_of("numpy")(given) and given[1] == (0,)


def _masked(given: Arguments) -> bool:
    return len(given) == 4 and _first_of("numpy")(given) and _first_of("numpy")(given[1:]) and given[2] == (0,)


def _factory(given: Arguments) -> bool:
    factory = given[0] if given else None
    return factory is None or (isinstance(factory, Name) and factory.module in ("builtins", "collections"))


CHECKS: dict[str, Callable[[Arguments], bool]] = {
    "_codecs.encode": lambda given: len(given) == 2 and given[1] in ("latin1", "latin-1"),
    "builtins.bytearray": lambda given: not given or isinstance(given[0], str | bytes),
    "builtins.bytes": lambda given: not given,
    "collections.defaultdict": _factory,
    "numpy.core.multiarray._reconstruct": _array,
    "numpy.ma.core._mareconstruct": _masked,
    "numpy.random._pickle.__generator_ctor": _random,
    "numpy.random._pickle.__randomstate_ctor": _random,
    "pandas._libs.arrays.__pyx_unpickle_NDArrayBacked": _first_of("pandas.core"),
    "pandas.core.indexes.base._new_Index": _first_of("pandas.core.indexes"),
    "sklearn.metrics._dist_metrics.newObj": _first_of("sklearn.metrics._dist_metrics"),
    "sklearn.neighbors._ball_tree.newObj": _first_of("sklearn.neighbors._ball_tree"),
    "sklearn.neighbors._kd_tree.newObj": _first_of("sklearn.neighbors._kd_tree"),
    **{
        name: _first_of("sklearn._loss._loss")
        for name in CALLED
        if name.startswith("sklearn._loss._loss.__pyx_unpickle_")
    },
}
