"""The opcodes of a pickle: each changes the stack as a load would. Other opcodes are not supported."""

from __future__ import annotations

import io
import pickle
import sys
from collections.abc import Callable
from typing import Any

from registry.legacy.pickles.machine import Findings, Machine
from registry.legacy.pickles.values import Mapping, Name, Opaque, Untraceable

MAX_OPCODES = 5_000_000

Handler = Callable[[Machine], None]


def follow(file: io.BytesIO, findings: Findings) -> Any:
    """Follows a pickle as joblib would load it, to its end; returns the placeholder of the object that it makes.

    Raises Untraceable, or what a damaged text raises.
    """
    return _run(Machine(file, findings, _follow_plain))


def _follow_plain(file: io.BytesIO, findings: Findings) -> None:
    _run(Machine(file, findings, None))


def _run(machine: Machine) -> Any:
    findings, read = machine.findings, machine.source.read
    while True:
        findings.opcodes += 1
        if findings.opcodes > MAX_OPCODES:
            raise Untraceable(f"more than {MAX_OPCODES:,} steps")
        code = read(1)[0]
        if code == pickle.STOP[0]:
            break
        handler = HANDLERS.get(code)
        if handler is None:
            raise Untraceable(f"the opcode {bytes([code])!r}, which no saved model needs")
        handler(machine)
    if not machine.source.at_frame_end or not machine.stack:
        raise Untraceable("an end in the middle of a frame, or with an empty stack")
    return machine.top()


def _literal(text: bytes) -> int | bool:
    """INT, read in the same way as the C unpickler."""
    if text in (b"00", b"01"):
        return text == b"01"
    return _decimal(text)


def _decimal(text: bytes) -> int:
    digits = text.removeprefix(b"-")
    if not digits.isdigit() or len(digits) > 4_000 or (len(digits) > 1 and digits.startswith(b"0")):
        raise Untraceable("a number in an unexpected form")
    return int(text)


def _global(machine: Machine) -> Name:
    module, qualname = machine.source.readline(), machine.source.readline()
    try:
        return machine.name(module.decode(), qualname.decode())
    except UnicodeDecodeError:
        raise Untraceable("a name that is not text") from None


def _quoted(line: bytes) -> str:
    """STRING: may have quotes and escapes; saved models contain only plain ones."""
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in b"\"'" or b"\\" in line or not line.isascii():
        raise Untraceable("a text with escapes, by an old opcode")
    return line[1:-1].decode()


def _unicode(line: bytes) -> str:
    return line.decode("raw-unicode-escape")


def _text(data: bytes) -> str:
    return (
        sys.intern(data.decode("utf-8", "surrogatepass")) if len(data) < 100 else data.decode("utf-8", "surrogatepass")
    )


def _ascii(data: bytes) -> str:
    if not data.isascii():
        raise Untraceable("a text of Python 2")
    return data.decode()


def _push(make: Callable[[Machine], Any]) -> Handler:
    return lambda machine: machine.stack.append(make(machine))


def _tuple(count: int) -> Handler:
    def make(machine: Machine) -> None:
        items = [machine.pop() for _ in range(count)]
        machine.stack.append(tuple(reversed(items)))

    return make


def _mark(machine: Machine) -> None:
    machine.marks.append(machine.stack)
    machine.stack = []


def _pop(machine: Machine) -> None:
    if machine.stack:
        machine.stack.pop()
    else:
        machine.pop_mark()


def _pop_mark(machine: Machine) -> None:
    machine.pop_mark()


def _from_mark(make: Callable[[list[Any]], Any]) -> Handler:
    def handle(machine: Machine) -> None:
        made = make(machine.pop_mark())
        machine.stack.append(made)

    return handle


def _mapping(items: list[Any]) -> Mapping:
    found = Mapping()
    found.put(items)
    return found


def _stack_global(machine: Machine) -> None:
    qualname, module = machine.pop(), machine.pop()
    machine.stack.append(machine.name(module, qualname))


def _instance(machine: Machine) -> None:
    """INST: a call, with an opcode from Python 1."""
    name = _global(machine)
    machine.call(name, tuple(machine.pop_mark()), construct=False)


def _object(machine: Machine) -> None:
    items = machine.pop_mark()
    machine.call(items[0] if items else None, tuple(items[1:]), construct=False)


def _reduce(machine: Machine) -> None:
    arguments, what = machine.pop(), machine.pop()
    machine.call(what, arguments, construct=False)


def _new(machine: Machine) -> None:
    arguments, kind = machine.pop(), machine.pop()
    machine.call(kind, arguments, construct=True)


def _new_with_keywords(machine: Machine) -> None:
    keywords, arguments, kind = machine.pop(), machine.pop(), machine.pop()
    if not isinstance(keywords, Mapping) or not isinstance(arguments, tuple):
        raise Untraceable("an instance that is built in an unexpected way")
    machine.call(kind, (*arguments, *keywords.items.values()), construct=True)


def _protocol(machine: Machine) -> None:
    machine.protocol = machine.number(1)
    if machine.protocol > pickle.HIGHEST_PROTOCOL:
        raise Untraceable("a protocol that this Python does not know")


def _append(machine: Machine) -> None:
    item = machine.pop()
    machine.append([item])


def _appends(machine: Machine) -> None:
    machine.append(machine.pop_mark())


def _set_item(machine: Machine) -> None:
    value, key = machine.pop(), machine.pop()
    machine.fill([key, value])


def _set_items(machine: Machine) -> None:
    machine.fill(machine.pop_mark())


def _add_items(machine: Machine) -> None:
    machine.pop_mark()
    if not isinstance(machine.top(), Opaque):
        raise Untraceable("items for something that is not a set")


HANDLERS: dict[int, Handler] = {
    code[0]: handler
    for code, handler in {
        pickle.PROTO: _protocol,
        pickle.FRAME: lambda m: m.source.begin_frame(m.number(8)),
        pickle.MARK: _mark,
        pickle.POP: _pop,
        pickle.POP_MARK: _pop_mark,
        pickle.DUP: _push(lambda m: m.top()),
        # constants
        pickle.NONE: _push(lambda _: None),
        pickle.NEWTRUE: _push(lambda _: True),
        pickle.NEWFALSE: _push(lambda _: False),
        pickle.INT: _push(lambda m: _literal(m.source.readline())),
        pickle.LONG: _push(lambda m: _decimal(m.source.readline().removesuffix(b"L"))),
        pickle.BININT: _push(lambda m: m.number(4, signed=True)),
        pickle.BININT1: _push(lambda m: m.number(1)),
        pickle.BININT2: _push(lambda m: m.number(2)),
        pickle.LONG1: _push(lambda m: int.from_bytes(m.data(1), "little", signed=True)),
        pickle.LONG4: _push(lambda m: int.from_bytes(m.data(4), "little", signed=True)),
        pickle.FLOAT: _push(lambda m: float(m.source.readline())),
        pickle.BINFLOAT: _push(lambda m: m.source.read(8) and 0.0),
        pickle.STRING: _push(lambda m: _quoted(m.source.readline())),
        pickle.BINSTRING: _push(lambda m: _ascii(m.data(4))),
        pickle.SHORT_BINSTRING: _push(lambda m: _ascii(m.data(1))),
        pickle.UNICODE: _push(lambda m: _unicode(m.source.readline())),
        pickle.SHORT_BINUNICODE: _push(lambda m: _text(m.data(1))),
        pickle.BINUNICODE: _push(lambda m: _text(m.data(4))),
        pickle.BINUNICODE8: _push(lambda m: _text(m.data(8))),
        pickle.SHORT_BINBYTES: _push(lambda m: m.data(1)),
        pickle.BINBYTES: _push(lambda m: m.data(4)),
        pickle.BINBYTES8: _push(lambda m: m.data(8)),
        pickle.BYTEARRAY8: _push(lambda m: m.data(8)),
        # containers
        pickle.EMPTY_TUPLE: _push(lambda _: ()),
        pickle.TUPLE1: _tuple(1),
        pickle.TUPLE2: _tuple(2),
        pickle.TUPLE3: _tuple(3),
        pickle.TUPLE: _from_mark(tuple),
        pickle.EMPTY_LIST: _push(lambda _: []),
        pickle.LIST: _from_mark(list),
        pickle.APPEND: _append,
        pickle.APPENDS: _appends,
        pickle.EMPTY_DICT: _push(lambda _: Mapping()),
        pickle.DICT: _from_mark(_mapping),
        pickle.SETITEM: _set_item,
        pickle.SETITEMS: _set_items,
        pickle.EMPTY_SET: _push(lambda _: Opaque()),
        pickle.ADDITEMS: _add_items,
        pickle.FROZENSET: _from_mark(lambda _: Opaque()),
        # the memo
        pickle.PUT: lambda m: m.remember(_decimal(m.source.readline())),
        pickle.BINPUT: lambda m: m.remember(m.number(1)),
        pickle.LONG_BINPUT: lambda m: m.remember(m.number(4)),
        pickle.MEMOIZE: lambda m: m.remember(len(m.memo)),
        pickle.GET: lambda m: m.recall(_decimal(m.source.readline())),
        pickle.BINGET: lambda m: m.recall(m.number(1)),
        pickle.LONG_BINGET: lambda m: m.recall(m.number(4)),
        # names and objects; persistent ids, extensions and external buffers are not supported
        pickle.GLOBAL: _push(_global),
        pickle.STACK_GLOBAL: _stack_global,
        pickle.INST: _instance,
        pickle.OBJ: _object,
        pickle.REDUCE: _reduce,
        pickle.NEWOBJ: _new,
        pickle.NEWOBJ_EX: _new_with_keywords,
        pickle.BUILD: lambda m: m.build(),
    }.items()
}
