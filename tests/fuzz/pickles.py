"""Mutates pickles by opcode and inspects them. Those that pass as harmless are loaded by the oracle as proof.

The oracle's process imports only usual names (tests/fuzz/oracle.py), so a load that reaches another name runs nothing.
"""

from __future__ import annotations

import contextlib
import io
import json
import pickle
import pickletools
import random
import select
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import joblib
import numpy as np
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier

from registry.legacy.pickles.contents import contents, unpacked
from tests.attacks.pickle_files import F8, O8, REGION, SYSTEM, call, fields, glob, hostile, short, wrapper

ANSWER_S = 60.0


def run(seed: int, count: int) -> Iterator[tuple[bytes, Callable[[bytes], str]]]:
    chance = random.Random(seed)
    honest = [_split(data) for data in _honest()]
    forged = [_split(data) for data in hostile().values() if len(data) < 5_000]
    pieces = _pieces()
    with Oracle() as oracle:
        for number in range(count):
            yield _mutant(chance, honest, forged, pieces), partial(judge, oracle, number % 10 == 0)


def judge(oracle: Oracle, ask_always: bool, data: bytes) -> str:
    """`ask_always`: load it also when the look has warned of it, to see whether it names all that a load reaches."""
    found = contents(data)
    if found.trouble:
        return "trouble"
    if found.unusual and not ask_always:
        return "unusual"
    answer = oracle.ask(unpacked(data))
    if answer is None:
        return "ended its process"
    missed = set(answer["names"]) - set(found.names)
    assert not missed, f"a load reaches {missed}, which the look does not name"
    if found.unusual:
        return "unusual"
    return "harmless, and loads" if answer["ended"] == "loaded" else "harmless, and does not load"


class Oracle:
    """The child process. It is killed if it does not answer, and another one is started for the next pickle."""

    def __enter__(self) -> Oracle:
        self._child: subprocess.Popen[bytes] | None = None
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def ask(self, data: bytes) -> dict[str, Any] | None:
        if self._child is None:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "zelador.libgomp", "-m", "tests.fuzz.oracle"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        try:
            self._child.stdin.write(struct.pack("<Q", len(data)) + data)
            self._child.stdin.flush()
            ready, _, _ = select.select([self._child.stdout], [], [], ANSWER_S)
            line = self._child.stdout.readline() if ready else b""
        except BrokenPipeError:
            line = b""
        if not line:
            self._end()
            return None
        found: dict[str, Any] = json.loads(line)
        return found

    def _end(self) -> None:
        if self._child is not None:
            self._child.kill()
            for pipe in (self._child.stdin, self._child.stdout):
                with contextlib.suppress(OSError):  # a dead child cannot use unflushed data
                    assert pipe is not None
                    pipe.close()
            self._child.wait()
            self._child = None


def _honest() -> Iterator[bytes]:
    rows, labels = np.random.default_rng(0).normal(size=(30, 2)), ["a", "b"] * 15
    for model in (LogisticRegression(), RandomForestClassifier(2, max_depth=2), KNeighborsClassifier()):
        model.fit(rows, labels)
        for protocol in (0, 2, 4, 5):
            yield pickle.dumps(model, protocol)
        file = io.BytesIO()
        joblib.dump(model, file)
        yield file.getvalue()


def _split(data: bytes) -> list[bytes]:
    """Splits a pickle by opcode, as far as possible: data that joblib stores between opcodes stays in one piece."""
    places: list[int | None] = []
    with contextlib.suppress(Exception):  # the bytes of an array, or intended damage
        for _, _, at in pickletools.genops(data):
            places.append(at)
    places = [at for at in places if at is not None] or [0]
    return [data[a:b] for a, b in zip(places, [*places[1:], len(data)], strict=True)]


def _pieces() -> list[bytes]:
    """Pieces that a forger would insert."""
    usual = glob("sklearn.pipeline", "Pipeline")
    return [
        *(bytes([code]) for code in b"().0123NQRabdeghijlopqrstu"), *(bytes([code]) for code in range(0x81, 0x99)),
        b"q\x00", b"h\x00", b"h\x01", b"K\x00", b"K\x01", b"K\x3f", b"J\xff\xff\xff\xff", b"M\x00\x01",
        SYSTEM, REGION, F8, O8, fields(b"K?"), fields(b"K\x00"), usual, usual + b")\x81", usual + b"}b",
        wrapper(F8, b"K\x01\x85"), wrapper(F8, b"K\x02\x85") + b"\0" * 16, wrapper(O8, b"K\x01\x85") + REGION,
        wrapper(fields(b"K?"), b"K\x05\x85") + REGION, wrapper(F8, b"K\x10\x85", read=usual),
        call("builtins", "bytes"), call("builtins", "getattr", short("x"), short("y")), short("read"), short("dtype"),
        call("joblib.memory", "os.system", short("x")), call("copyreg", "_reconstructor", usual, usual, b"N"),
        call("_codecs", "encode", short("x"), short("latin1")), short("__setstate__"), b"\x95\x04\0\0\0\0\0\0\0",
        b"\x80\x02", b"\x80\x04", b"cos\nsystem\n", b"c__builtin__\neval\n", b"csklearn.pipeline\nos.system\n",
    ]  # fmt: skip


def _mutant(chance: random.Random, honest: list[list[bytes]], forged: list[list[bytes]], pieces: list[bytes]) -> bytes:
    found = list(chance.choice(honest if chance.random() < 0.7 else forged))
    for _ in range(chance.choice((1, 1, 1, 2, 3, 4))):
        at = chance.randrange(len(found) + 1)
        match chance.randrange(6):
            case 0:
                found[at : at + 1] = []
            case 1:
                found[at:at] = [chance.choice(pieces)]
            case 2:
                found[at : at + 1] = [chance.choice(pieces)]
            case 3:
                found[at:at] = found[chance.randrange(len(found) + 1) :][: chance.randint(1, 12)]
            case 4:
                other = chance.choice(chance.choice((honest, forged)))
                found[at:at] = other[chance.randrange(len(other)) :][: chance.randint(1, 20)]
            case _:
                whole = bytearray(b"".join(found) or b".")
                whole[chance.randrange(len(whole))] = chance.randrange(256)
                found = _split(bytes(whole))
    return b"".join(found)
