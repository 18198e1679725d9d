"""The state while a pickle is followed, and the effects of a load on objects. Nothing is imported, called or
constructed. Raises Untraceable if the pickle cannot be followed: the names found until then are incomplete."""

from __future__ import annotations

import _compat_pickle
import io
from collections.abc import Callable
from typing import Any

from registry.legacy.pickles.arrays import DTYPE, WRAPPER, built_size, bytes_of, check_dtype, is_aligned
from registry.legacy.pickles.names import APPENDED, BASES, CALLED, FILLED, fits, is_usual
from registry.legacy.pickles.source import Source
from registry.legacy.pickles.values import Instance, Mapping, Name, Opaque, Untraceable

MAX_TEXT = 1 << 28  # bytes of one text or bytes object
MAX_MEMO = 1 << 31  # highest index of a memo
MAX_NESTED = 10_000  # pickles in a pickle: joblib writes one for each array of objects
MAX_NAMES = 10_000
MAX_NAME = 500  # characters

Follow = Callable[[io.BytesIO, "Findings"], None]
METHODS = frozenset({"append", "extend", "add"})  # methods that a load calls on an instance


class Findings:
    """State shared by a pickle and nested ones. `unusual`: names that no saved model needs, or uses in this way."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.unusual: set[str] = set()
        self.opcodes = 0
        self.nested = 0

    def name(self, module: object, qualname: object) -> Name:
        if not isinstance(module, str) or not isinstance(qualname, str):
            raise Untraceable("a name that is computed")
        if len(module) + len(qualname) > MAX_NAME or len(self.names) > MAX_NAMES:
            raise Untraceable("names that are too long, or too many")
        found = Name(module, qualname)
        self.names.add(found.text)
        if not is_usual(found):
            self.unusual.add(found.text)
        return found


class Machine:
    """`follow`: follows the nested pickle that joblib writes for an array of objects; None if the loader is Python's
    own, which does not support joblib's arrays."""

    def __init__(self, file: io.BytesIO, findings: Findings, follow: Follow | None) -> None:
        self.source = Source(file)
        self.findings = findings
        self._follow = follow
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.protocol = 0

    # ── the stack ────────────────────────────────────────────────────────────────────────────

    def pop(self) -> Any:
        if not self.stack:
            raise Untraceable("an empty stack")
        return self.stack.pop()

    def top(self) -> Any:
        if not self.stack:
            raise Untraceable("an empty stack")
        return self.stack[-1]

    def name(self, module: Any, qualname: Any) -> Name:
        """Translates names of Python 2, as a load does for old protocols only."""
        if self.protocol < 3 and isinstance(module, str) and isinstance(qualname, str):
            if (module, qualname) in _compat_pickle.NAME_MAPPING:
                module, qualname = _compat_pickle.NAME_MAPPING[(module, qualname)]
            elif module in _compat_pickle.IMPORT_MAPPING:
                module = _compat_pickle.IMPORT_MAPPING[module]
        return self.findings.name(module, qualname)

    def pop_mark(self) -> list[Any]:
        if not self.marks:
            raise Untraceable("an end without a start")
        items, self.stack = self.stack, self.marks.pop()
        return items

    def number(self, size: int, signed: bool = False) -> int:
        return int.from_bytes(self.source.read(size), "little", signed=signed)

    def data(self, size: int) -> bytes:
        length = self.number(size)
        if length > MAX_TEXT:
            raise Untraceable(f"a text of {length:,} bytes")
        return self.source.read(length)

    def remember(self, index: int) -> None:
        if not 0 <= index < MAX_MEMO:
            raise Untraceable("a memo's index out of range")
        self.memo[index] = self.top()

    def recall(self, index: int) -> None:
        if index not in self.memo:
            raise Untraceable("a memo that is empty")
        self.stack.append(self.memo[index])

    # ── what a load would do with an object ──────────────────────────────────────────────────

    def call(self, what: Any, arguments: Any, construct: bool) -> None:
        """Calls a name. `construct`: only by `__new__`, as for every plain instance."""
        if not isinstance(what, Name) or not isinstance(arguments, tuple):
            raise Untraceable("a call of something that is not a name")
        text = what.text
        if text == "copyreg._reconstructor":
            self._reconstruct(arguments)
            return
        if not fits(text, arguments) or (text not in CALLED and (arguments or not construct)):
            self.findings.unusual.add(text)
        if text == WRAPPER and (arguments or not construct):
            raise Untraceable("an array that is built in an unexpected way")
        if text == DTYPE:
            check_dtype(arguments)
        self.stack.append(Instance(what, arguments))

    def _reconstruct(self, arguments: tuple[Any, ...]) -> None:
        """Protocols 0 and 1: the class, its built-in base, and the base's value."""
        kind, base = (*arguments, None, None)[:2]
        if len(arguments) != 3 or not isinstance(kind, Name) or not isinstance(base, Name):
            raise Untraceable("an instance that is built in an unexpected way")
        if base.text not in BASES or (base.text == "builtins.object" and arguments[2] is not None):
            self.findings.unusual.add("copyreg._reconstructor")
        self.stack.append(Instance(kind, ()))

    def build(self) -> None:
        state, target = self.pop(), self.top()
        if not isinstance(target, Instance):
            raise Untraceable("a state for something that is not an instance")
        parts = state if isinstance(state, tuple) and len(state) == 2 else (state,)
        named = [part for part in parts if isinstance(part, Mapping)]
        if any(key.startswith("__") or key in METHODS for part in named for key in part.items):
            raise Untraceable("a state with the name of a method that a load calls")
        if target.name.text in (DTYPE, WRAPPER) and any(part.computed for part in named):
            raise Untraceable("a state with computed keys")
        if target.name.text == DTYPE:
            target.size = built_size(target, state)
            target.states.append(state)
            return
        if len(named) == len([part for part in parts if part is not None]):
            for part in named:
                target.state.update(part.items)
        else:
            target.states.append(state)
        if target.name.text == WRAPPER:
            self._pass_array(target)

    def _pass_array(self, wrapper: Instance) -> None:
        """Skips the array's bytes, which follow its wrapper in the file, or follows them if they are a pickle."""
        if self._follow is None:
            raise Untraceable("an array in an array of objects")
        if not self.source.at_frame_end:
            raise Untraceable("an array inside an unfinished frame")
        file = self.source.file
        size = bytes_of(wrapper, self.source.left)
        if size is None:
            self.findings.nested += 1
            if self.findings.nested > MAX_NESTED:
                raise Untraceable("too many pickles in it")
            self._follow(file, self.findings)
        else:
            padding = (file.read(1) or b"\0")[0] if is_aligned(wrapper) else 0
            if padding + size > self.source.left:
                raise Untraceable("an array beyond the end of the file")
            file.seek(padding + size, io.SEEK_CUR)
        self.stack[-1] = Opaque()

    def append(self, items: list[Any]) -> None:
        target = self.top()
        if isinstance(target, list):
            target.extend(items)
        elif not (isinstance(target, Instance) and target.name.text in APPENDED):
            raise Untraceable("items for something that is not a list")

    def fill(self, pairs: list[Any]) -> None:
        target = self.top()
        if isinstance(target, Mapping):
            target.put(pairs)
        elif not (isinstance(target, Instance) and target.name.text in FILLED):
            raise Untraceable("keys for something that is not a dict")
