# ruff: noqa: E501
"""Pickles that run a command when they are loaded and were made to look harmless; COMMAND is never run here."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import pickle
import struct
import zlib
from collections.abc import Callable
from typing import Any

import joblib
import numpy as np

COMMAND = "touch CANARY"
PROTO = b"\x80\x04"


def short(text: str) -> bytes:
    return b"\x8c" + bytes([len(text.encode())]) + text.encode()


def glob(module: str, name: str) -> bytes:
    return short(module) + short(name) + b"\x93"


def call(module: str, name: str, *arguments: bytes) -> bytes:
    return glob(module, name) + b"(" + b"".join(arguments) + b"tR"


SYSTEM = call("os", "system", short(COMMAND))
F8 = (
    call("numpy", "dtype", short("f8"), b"\x89", b"\x88")
    + b"(K\x03"
    + short("<")
    + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb"
)
O8 = (
    call("numpy", "dtype", short("O8"), b"\x89", b"\x88")
    + b"(K\x03"
    + short("|")
    + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK?tb"
)
PLAIN_O8 = call("numpy", "dtype", short("O8"), b"\x89", b"\x88")
REGION = PROTO + SYSTEM + b"0N."


def padded(data: bytes, size: int = 8) -> tuple[bytes, int]:
    count = len(data) // size + 1
    return data + b"N0" * ((count * size - len(data)) // 2) + b"N" * ((count * size - len(data)) % 2), count


def wrapper(dtype: bytes, shape: bytes, **more: bytes) -> bytes:
    """joblib's array wrapper with this state."""
    state = {
        "subclass": glob("numpy", "ndarray"),
        "shape": shape,
        "order": short("C"),
        "dtype": dtype,
        "allow_mmap": b"\x89",
        "numpy_array_alignment_bytes": b"N",
        **more,
    }
    inner = b"".join(short(name) + value for name, value in state.items())
    return glob("joblib.numpy_pickle", "NumpyArrayWrapper") + b")\x81}(" + inner + b"ub"


def fields(flags: bytes, inner: bytes = PLAIN_O8, width: bytes = b"K\x08") -> bytes:
    """A structured dtype with an object in it."""
    dtype = call("numpy", "dtype", short("V8"), b"\x89", b"\x88")
    return (
        dtype
        + b"(K\x03"
        + short("|")
        + b"N"
        + short("a")
        + b"\x85}"
        + short("a")
        + inner
        + b"K\x00\x86s"
        + width
        + b"K\x01"
        + flags
        + b"tb"
    )


def in_array(dtype: bytes, **more: bytes) -> bytes:
    """The command in bytes that look like an array's to a reader that trusts the dtype's text."""
    region, count = padded(SYSTEM + b"0N.")
    return PROTO + wrapper(dtype, b"K" + bytes([count]) + b"\x85", **more) + region + b"0N."


def class_state(name: str) -> bytes:
    """A state for a class: setattr on it, so that its next instance calls something else."""
    target = glob("sklearn.dummy", "DummyClassifier")
    return PROTO + target + b"(N}" + short(name) + glob("sklearn.dummy", "DummyRegressor") + b"stb" + b"."


def framed(data: bytes) -> bytes:
    return b"\x95" + struct.pack("<Q", len(data)) + data


def honest() -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression().fit(np.array([[0.0], [1.0], [2.0], [3.0]]), ["a", "a", "b", "b"])


def by_joblib(compress: Any = 0) -> bytes:
    file = io.BytesIO()
    joblib.dump(honest(), file, compress=compress)
    return file.getvalue()


class Reduced:
    def __init__(self, *what: Any) -> None:
        self.what = what

    def __reduce__(self) -> Any:
        return self.what


def reduced(function: Callable[..., Any], *arguments: Any, protocol: int = 4) -> bytes:
    return pickle.dumps(Reduced(function, arguments), protocol)


def hostile() -> dict[str, bytes]:
    import builtins
    import functools
    import importlib
    import marshal
    import operator
    import os
    import runpy
    import subprocess
    import types

    system = os.system
    partial = glob("functools", "partial")
    estimator = glob("sklearn.dummy", "DummyClassifier") + b")\x81"
    later = b"\x80\x04" + glob("os", "system")
    return {
        "a dotted name below a usual module": PROTO + call("joblib.memory", "os.system", short(COMMAND)) + b".",
        "a dotted name of a usual class": PROTO + call("sklearn.dummy", "DummyClassifier.__init__.__globals__", b"") + b".",
        "pandas.read_pickle": PROTO + call("pandas.io.pickle", "read_pickle", short("stage2.bin")) + b".",
        "pandas.eval": PROTO + call("pandas.core.computation.eval", "eval", short("1")) + b".",
        "pandas.query": PROTO + call("pandas.core.frame", "DataFrame.query", short("1")) + b".",
        "numpy.load": PROTO + call("numpy.lib.npyio", "load", short("x")) + b".",
        "numpy.f2py": PROTO + call("numpy.f2py", "compile", short("x")) + b".",
        "numpy.ctypeslib": PROTO + call("numpy.ctypeslib", "load_library", short("x"), short(".")) + b".",
        "numpy.testing": PROTO + call("numpy.testing._private.utils", "runstring", short("x"), b"}") + b".",
        "numpy's fromfile": PROTO + call("numpy.core.multiarray", "fromfile", short("x")) + b".",
        "numpy's frompyfunc": PROTO + call("numpy", "frompyfunc", glob("os", "system"), b"K\x01K\x01") + b".",
        "numpy.vectorize": PROTO + call("numpy", "vectorize", glob("os", "system")) + b".",
        "numpy.memmap": PROTO + call("numpy", "memmap", short("x")) + b".",
        "scipy.io": PROTO + call("scipy.io", "loadmat", short("x")) + b".",
        "sklearn.datasets": PROTO + call("sklearn.datasets._base", "load_files", short("x")) + b".",
        "sklearn's import of scipy": PROTO + call("sklearn.utils._testing", "assert_run_python_script", short("x")) + b".",
        "joblib.load": PROTO + call("joblib.numpy_pickle", "load", short("x")) + b".",
        "joblib's compatibility": PROTO + glob("joblib.numpy_pickle_compat", "NDArrayWrapper") + b")\x81}b.",
        "joblib.Memory, which makes a folder": PROTO + call("joblib.memory", "Memory", short("x")) + b".",
        "a memorized function": PROTO + call("joblib.memory", "MemorizedFunc", short("x")) + b".",
        "distutils": PROTO + call("distutils.spawn", "spawn", short("x")) + b".",
        "cloudpickle": PROTO + call("cloudpickle.cloudpickle", "_make_function", b"N") + b".",
        "a lambda": PROTO + call("types", "FunctionType", b"N") + b".",
        "marshal": reduced(marshal.loads, b"x"),
        "eval": reduced(builtins.eval, "1"),
        "exec": reduced(builtins.exec, "1"),
        "open": reduced(builtins.open, "x"),
        "getattr": reduced(builtins.getattr, honest(), "fit"),
        "__import__": reduced(builtins.__import__, "os"),
        "importlib": reduced(importlib.import_module, "os"),
        "runpy": reduced(runpy.run_path, "x"),
        "subprocess": reduced(subprocess.Popen, ["x"]),
        "a system call": reduced(system, COMMAND),
        "a partial": reduced(functools.partial, system, COMMAND),
        "a partial that is called": PROTO + partial + glob("os", "system") + short(COMMAND) + b"\x86R)R.",
        "operator": reduced(operator.methodcaller, "x"),
        "a method caller that is called": PROTO + call("operator", "methodcaller", short("x")) + b"(NtR.",
        "attrgetter": reduced(operator.attrgetter, "x"),
        "types": reduced(types.SimpleNamespace),
        "map": reduced(builtins.map, system, [COMMAND]),
        "by the opcode of Python 1": b"(S'x'\nios\nsystem\n.",
        "by OBJ": b"(" + b"cos\nsystem\n" + b"S'x'\no.",
        "by NEWOBJ": later + b")\x81.",
        "by NEWOBJ with an argument": PROTO + glob("sklearn.dummy", "DummyClassifier") + short("x") + b"\x85\x81.",
        "by NEWOBJ_EX": later + b")}\x92.",
        "a class that is called": PROTO + call("sklearn.pipeline", "Pipeline", short("x")) + b".",
        "a name of Python 2": b"c__builtin__\neval\n(S'1'\ntR.",
        "commands of Python 2": b"ccommands\ngetoutput\n(S'x'\ntR.",
        "an extension": b"\x80\x02\x82\x01.",
        "a long extension": b"\x80\x02\x84\x01\x00\x00\x00.",
        "a persistent id": b"Px\n.",
        "a persistent object": b"\x80\x04NQ.",
        "a buffer from outside": b"\x80\x05\x97.",
        "a read-only buffer": b"\x80\x05N\x98.",
        "a name that is computed": PROTO + call("builtins", "str", short("os")) + short("system") + b"\x93.",
        "a reconstructed instance of an odd base": PROTO
        + call("copyreg", "_reconstructor", glob("sklearn.dummy", "DummyClassifier"), glob("sklearn.pipeline", "Pipeline"), b"N")
        + b".",
        "a codec that unpacks": PROTO + call("_codecs", "encode", short("x"), short("zip")) + b".",
        "very many bytes": PROTO + call("builtins", "bytes", b"J\xff\xff\xff\x7f") + b".",
        "a random generator of something else": PROTO
        + call("numpy.random._pickle", "__generator_ctor", short("x"), glob("sklearn.pipeline", "Pipeline"))
        + b".",
        "an index of something else": PROTO
        + call("pandas.core.indexes.base", "_new_Index", glob("sklearn.pipeline", "Pipeline"), b"}")
        + b".",
        "a default that is called": PROTO + call("collections", "defaultdict", glob("sklearn.pipeline", "Pipeline")) + b".",
        "a state for a class": class_state("__setstate__"),
        "a state for a class, by a plain name": class_state("fit"),
        "a state with a special method": PROTO
        + estimator + b"}" + short("__setstate__") + glob("sklearn.pipeline", "Pipeline") + b"sbN b.".replace(b" ", b""),
        "a state with a method that a load calls": PROTO
        + glob("collections", "deque") + b")R}" + short("append") + glob("sklearn.pipeline", "Pipeline") + b"sbNa.",
        "items for an instance": PROTO + estimator + b"Na.",
        "keys for an instance": PROTO + estimator + b"NNs.",
        "keys for a class": PROTO + glob("sklearn.dummy", "DummyClassifier") + short("x") + b"Ns.",
        # arrays: the command is where an array's bytes should be
        "a dtype with an object in its fields": in_array(fields(b"K?")),
        "fields and no flags": in_array(fields(b"K\x00")),
        "fields of built objects": in_array(fields(b"K\x00", O8)),
        "a flag alone": in_array(F8.replace(b"K\x00tb", b"K\x01tb")),
        "all flags": in_array(F8.replace(b"K\x00tb", b"K?tb")),
        "flags of 256": in_array(F8.replace(b"K\x00tb", b"M?\x01tb")),
        "negative flags": in_array(F8.replace(b"K\x00tb", b"J\xff\xff\xff\xfftb")),
        "a width that lies": in_array(
            call("numpy", "dtype", short("V8"), b"\x89", b"\x88") + b"(K\x03" + short("|") + b"NNNK\x01K\x01K\x00tb"
        ),
        "a list of fields": in_array(call("numpy", "dtype", b"](" + short("a") + short("O") + b"\x86e", b"\x89", b"\x88")),
        "fields in a text": in_array(call("numpy", "dtype", short("O,f8"), b"\x89", b"\x88")),
        "a dtype of a class": in_array(call("numpy", "dtype", glob("numpy", "object_"), b"\x89", b"\x88")),
        "a dtype that is set twice": in_array(F8 + b"(K\x03" + short("|") + b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK?tb"),
        "a dtype of another module": in_array(call("numpy.core.multiarray", "dtype", short("O8"), b"\x89", b"\x88")),
        "a subarray": in_array(F8.replace(b"NNNJ", call("numpy", "dtype", short("O8"), b"\x89", b"\x88") + b"K\x02\x86NNJ", 1)),
        "a wrapper that reads in its own way": in_array(F8, read=glob("sklearn.pipeline", "Pipeline")),
        "a wrapper with a key that is computed": in_array(F8)
        .replace(b"ub", call("builtins", "str", b"C\x05dtype", short("ascii")) + O8 + b"ub", 1),
        "a wrapper that is made with arguments": PROTO
        + call("joblib.numpy_pickle", "NumpyArrayWrapper", glob("numpy", "ndarray"), b")", short("C"), O8)
        + b"}b" + REGION + b"0N.",
        "a wrapper of an odd class": in_array(F8, subclass=glob("numpy", "memmap")),
        "a wrapper of an odd order": in_array(F8, order=b"N"),
        "a negative shape": PROTO + wrapper(F8, b"J\xf0\xff\xff\xff\x85") + SYSTEM + b".",
        "two negative shapes": PROTO + wrapper(F8, b"J\xff\xff\xff\xffJ\xfe\xff\xff\xff\x86") + b"\0" * 16 + SYSTEM + b".",
        "a shape that overflows": PROTO + wrapper(F8, b"\x8a\x05\x00\x00\x00\x00\x01\x8a\x05\x00\x00\x00\x00\x01\x86") + SYSTEM + b".",
        "a shape beyond the end": PROTO + wrapper(F8, b"J\xff\xff\xff\x7f\x85") + SYSTEM + b".",
        "a shape of truth": PROTO + wrapper(F8, b"\x88\x85") + b"\0" * 8 + SYSTEM + b".",
        "a wrapper in a frame that goes on": PROTO + framed(wrapper(F8, b"K\x01\x85") + SYSTEM + b"0N.") + b"\0" * 8,
        "an array in an array of objects": PROTO
        + wrapper(O8, b"K\x01\x85") + in_array(F8) + b".",
        "an array of objects": PROTO + wrapper(O8, b"K\x01\x85") + REGION + b".",
        "a frame in a frame": PROTO + framed(framed(SYSTEM + b".")),
        "a frame beyond the end": PROTO + b"\x95" + b"\xff" * 7 + b"\x7f" + SYSTEM + b".",
        "something behind the end": pickle.dumps(honest()) + REGION,
        "nothing": b"",
        "no pickle": b"nothing of the kind",
        "an empty stack": b"\x80\x04.",
        "a pop too many": b"\x80\x040.",
        "a memo out of range": b"\x80\x04h\x05.",
        "a number in another base": b"I0x10\n.",
        "a text of two gigabytes": b"\x80\x04\x8e" + struct.pack("<Q", 1 << 31) + b"x.",
        # compressed
        "zlib": zlib.compress(REGION),
        "gzip": gzip.compress(REGION),
        "bz2": bz2.compress(REGION),
        "xz": lzma.compress(REGION),
        "lzma": lzma.compress(REGION, lzma.FORMAT_ALONE),
        "twice compressed": zlib.compress(gzip.compress(REGION)),
        "lz4": b"\x04\x22\x4d\x18" + REGION,
        "an old joblib": b"ZF" + REGION,
        "two streams of zlib": zlib.compress(pickle.dumps(honest())) + zlib.compress(REGION),
        "damaged zlib": zlib.compress(REGION)[:-6],
        "damaged gzip": gzip.compress(REGION)[:-12] + b"\0" * 4,
        "damaged bz2": bz2.compress(REGION)[:-4],
        "damaged xz": lzma.compress(REGION)[:-4],
        "a bomb of gzip": gzip.compress(bytes(1 << 20)),
    }  # fmt: skip
