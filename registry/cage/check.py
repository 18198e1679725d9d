"""The questions that the cage answers: may this file be registered, may these files be loaded."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from registry.cage.cage import DEFAULT, MIB, Cage, CageDied, Limits
from registry.cage.wire import CheckArchive, CheckModel, Convert, Converted, Passed, Refused
from registry.errors import ArchiveRefused, ModelRefused, TypeRefused
from registry.model import manifest
from registry.model.manifest import Manifest
from zelador.errors import InvalidInput

# PyCaret, which a pickle may need, takes a minute and more than a GiB on a small machine.
TRUSTED = Limits(memory=4096 * MIB, cpu_s=120, wall_s=180.0, libraries=("onnxruntime", "joblib"), writable=True)
MAX_CONVERTED = 1 << 30  # bytes


def check_archive(data: bytes, most_bytes: int, native: bool, limits: Limits = DEFAULT) -> Sequence[str]:
    """Audits, loads and tries the model in an exported file; gives the paths that are not to be registered.

    `native`: bytes that only a library's own parser reads (LightGBM's) are taken. Raises ArchiveRefused, Unavailable.
    """
    with Cage(limits) as cage:
        try:
            reply = cage.ask(CheckArchive(data, most_bytes, native))
        except CageDied as died:
            raise ArchiveRefused(f"it cannot be loaded: {died}") from None
    match reply:
        case Passed(left_out):
            return left_out
        case Refused(reason):
            raise ArchiveRefused(reason)
    raise ArchiveRefused("it makes the process that loads it answer nonsense")


def check_model(
    saved: Manifest, digest: str, files: Mapping[str, bytes], serving: bool = True, limits: Limits = DEFAULT
) -> None:
    """Loads a registered model from `files`, whose digests were checked, and asks its golden rows.

    Not `serving`: its bare pipeline. Raises ModelRefused, Unavailable.
    """
    with Cage(limits) as cage:
        try:
            reply = cage.ask(CheckModel(manifest.encode(saved), digest, dict(files), serving))
        except CageDied as died:
            raise ModelRefused(f"{saved.name} cannot be loaded: {died}; select another model") from None
    match reply:
        case Passed():
            return
        case Refused(reason):
            raise ModelRefused(reason)
    raise ModelRefused(f"{saved.name} makes the process that loads it answer nonsense; select another model")


def convert_pickle(
    data: bytes, name: str, metadata: Mapping[str, Any], features: Sequence[str], limits: Limits = TRUSTED
) -> bytes:
    """Loads a pickle in the cage, and gives its model as an exported file, to be admitted like a stranger's.

    Raises InvalidInput, TypeRefused, Unavailable.
    """
    with Cage(limits) as cage:
        try:
            reply = cage.ask(Convert(data, name, json.dumps(metadata).encode(), list(features)), None, MAX_CONVERTED)
        except CageDied as died:
            raise InvalidInput(f"{name} cannot be loaded: {died}") from None
    match reply:
        case Converted(archive):
            return archive
        case Refused(reason, foreign):
            raise TypeRefused(reason) if foreign else InvalidInput(reason)
    raise InvalidInput(f"{name} makes the process that loads it answer nonsense")
