"""The cage's child: confines itself, imports the libraries that load models, then handles requests.

It is forked from the template (forks.py), which has already imported the slow libraries.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
from collections import OrderedDict
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from registry.cage import confine
from registry.cage.wire import (
    Answered,
    Ask,
    CheckArchive,
    CheckModel,
    Convert,
    Passed,
    Ready,
    Refused,
    Reply,
    Request,
    pack,
    read_request,
)
from registry.model.skops_file import MAX_UNPACKED, mentions, unpacked_size

if TYPE_CHECKING:
    from registry.model.classifier import Classifier

PIPELINE = "model.skops"  # the same as in registry.model.artifact, which imports NumPy: limits must be set before that
CACHED_MODELS = 8  # most recently loaded models that stay loaded; the API counts the same way
MAX_REASON = 1_000  # characters


def main(settings: dict[str, Any], parent: int) -> None:
    """Reads requests from file 0 and writes replies to file 3. Output of libraries goes to the file for errors."""
    import registry
    import zelador

    ours = tuple(Path(module.__path__[0]) for module in (registry, zelador))
    found = confine.confine(parent, Path(settings["folder"]), ours, settings["writable"])
    for library in settings["libraries"]:
        with contextlib.suppress(ImportError, OSError):
            importlib.import_module(library)
    if settings["cpu_s"]:
        confine.limit_processor(settings["cpu_s"])
    with open(0, "rb", closefd=False) as requests, open(3, "wb", buffering=0, closefd=False) as replies:
        _write(replies, Ready(found.network, found.files, found.memory))
        work = _Work(settings["memory"])
        while (request := read_request(requests)) is not None:
            _write(replies, work.reply(request))
    os._exit(0)  # without the exit hooks of libraries


def _write(stream: io.FileIO, reply: Reply) -> None:
    view = memoryview(pack(reply))
    while view:
        view = view[stream.write(view) or 0 :]


class _Work:
    def __init__(self, memory: int) -> None:
        self._memory = memory
        self._limited = False
        self._kept: OrderedDict[str, Classifier] = OrderedDict()

    def reply(self, request: Request) -> Reply:
        try:
            match request:
                case CheckArchive():
                    return self._archive(request)
                case CheckModel():
                    return self._model(request)
                case Ask():
                    return self._ask(request)
                case Convert():
                    return self._convert(request)
        except MemoryError:
            return Refused(f"it needs more than {self._memory >> 20} MiB of memory in addition to the libraries")
        except RecursionError:
            return Refused("it is nested too deep")
        except Exception as error:  # noqa: BLE001 - a stranger's model may raise anything
            from registry.errors import TypeRefused

            return Refused(_text(error), isinstance(error, TypeRefused))

    def _limit(self, files: Mapping[str, bytes], inner: int) -> None:
        """Sets the final memory limit, by the model's size, packed and unpacked. Called once."""
        if not self._limited:
            size = sum(map(len, files.values())) + inner
            if PIPELINE in files and mentions(files[PIPELINE], b"lightgbm"):
                with contextlib.suppress(ImportError, OSError):
                    importlib.import_module("lightgbm")  # the library's own memory is not counted
            self._memory = max(self._memory, 4 * size)
            confine.limit_memory(self._memory)
            self._limited = True

    def _archive(self, request: CheckArchive) -> Reply:
        from registry.bundle import bundle

        confine.limit_memory(self._memory + request.most_bytes + len(request.data), final=False)
        saved, files = bundle.opened(request.data, request.most_bytes)
        most = min(request.most_bytes, MAX_UNPACKED)
        self._limit(files, unpacked_size(files[PIPELINE], most) if PIPELINE in files else 0)
        left_out = bundle.without_native(saved, files, request.native)
        bundle.check(saved, files)
        return Passed(left_out)

    def _model(self, request: CheckModel) -> Reply:
        import msgspec

        from registry.model.allowed_types import load_pipeline
        from registry.model.artifact import open_classifier
        from registry.model.manifest import Manifest

        saved = msgspec.json.decode(request.manifest, type=Manifest)
        files = request.files
        self._limit(files, unpacked_size(files[PIPELINE]) if PIPELINE in files else 0)
        if request.keep:
            self._kept[request.digest] = open_classifier(saved, request.digest, files)
            while len(self._kept) > CACHED_MODELS:
                self._kept.popitem(last=False)
            return Passed()
        if request.serving:
            open_classifier(saved, request.digest, files)
        else:
            load_pipeline(saved.name, files[PIPELINE])
        return Passed()

    def _ask(self, request: Ask) -> Reply:
        import numpy as np

        found = self._kept.get(request.digest)
        if found is None:
            return Refused("it is not loaded")
        rows = np.frombuffer(request.rows, dtype=np.float64).reshape(-1, len(found.features))
        indices, probabilities = found.run(rows)
        shares = None if probabilities is None else np.ascontiguousarray(probabilities, dtype=np.float64).tobytes()
        return Answered([int(index) for index in indices], shares)

    def _convert(self, request: Convert) -> Reply:
        from registry.cage.convert import convert

        confine.limit_memory(max(self._memory, 4 * sum(map(len, request.files.values()))))
        return convert(request)


def _text(error: Exception) -> str:
    from registry.errors import BundleRefused, ModelRefused
    from zelador.errors import ZeladorError

    text = " ".join(str(error).split())
    if not isinstance(error, BundleRefused | ModelRefused | ZeladorError):
        text = f"{type(error).__name__}: {text}"
    return "".join(each if each.isprintable() else "?" for each in text)[:MAX_REASON]
