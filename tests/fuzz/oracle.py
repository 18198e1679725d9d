"""A child process that really loads pickles, with a find_class that imports usual names alone and records all.

python -m tests.fuzz.oracle: each pickle on standard input is preceded by its length (8 bytes); for each, it prints a
line of JSON with the names. It runs in an empty folder, with bounded memory and time, and a load may end it.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import resource
import struct
import sys
import tempfile
import types
import warnings

from registry.legacy.pickles.names import USUAL

MEMORY = 3 << 30
CPU_S = 600


class Stopped(Exception):
    """Raised for an unusual name, which is not imported."""


def main() -> int:
    import joblib.numpy_pickle as joblibs
    import lightgbm  # noqa: F401 - imported before the limits
    import sklearn.ensemble  # noqa: F401

    seen: list[str] = []

    def found(module: str, name: str) -> None:
        seen.append(f"{module}.{name}")
        if f"{module}.{name}" not in USUAL or "." in name:
            raise Stopped(f"{module}.{name}")

    def translated(protocol: int, module: str, name: str) -> tuple[str, str]:
        import _compat_pickle as compat

        if protocol < 3:
            if (module, name) in compat.NAME_MAPPING:
                return compat.NAME_MAPPING[(module, name)]
            return compat.IMPORT_MAPPING.get(module, module), name
        return module, name

    class Top(joblibs.NumpyUnpickler):  # type: ignore[misc]
        def find_class(self, module: str, name: str):  # type: ignore[no-untyped-def]
            found(*translated(getattr(self, "proto", 0), module, name))
            return super().find_class(module, name)

    class Nested(pickle.Unpickler):
        def find_class(self, module: str, name: str):  # type: ignore[no-untyped-def]
            new = module in (
                "builtins",
                "copyreg",
                "functools",
            )  # otherwise it depends on the caller's protocol, which is unknown here
            found(module, name) if new else found(*translated(0, module, name))
            return super().find_class(module, name)

    nested = types.SimpleNamespace(load=lambda file: Nested(file).load(), BUILD=pickle.BUILD)
    joblibs.pickle = nested
    warnings.simplefilter("ignore")
    os.chdir(tempfile.mkdtemp(prefix="zelador-oracle-"))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    answers = os.dup(1)
    os.dup2(2, 1)  # output of libraries is not an answer
    while head := sys.stdin.buffer.read(8):
        data = sys.stdin.buffer.read(struct.unpack("<Q", head)[0])
        seen.clear()
        try:
            Top("", io.BytesIO(data)).load()
        except BaseException as error:  # noqa: BLE001 - whatever a mutant raises; the names count
            ended = type(error).__name__
        else:
            ended = "loaded"
        os.write(answers, json.dumps({"names": seen, "ended": ended}).encode() + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
