"""The checks that run in the cage: of a file to be registered, and of a registered model's files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from registry.cage.cage import DEFAULT, MIB, Cage, CageDied, Limits
from registry.cage.wire import CheckArchive, CheckModel, Convert, Converted, Passed, Refused
from registry.errors import BundleRefused, ModelRefused, TypeRefused
from registry.model import manifest
from registry.model.manifest import Manifest
from zelador.errors import InvalidInput

# PyCaret, which a pickle may need, takes a minute and more than a GiB on a small machine.
TRUSTED = Limits(memory=4096 * MIB, cpu_s=120, wall_s=180.0, libraries=("onnxruntime", "joblib"), writable=True)
MAX_CONVERTED = 1 << 30  # bytes


def check_archive(data: bytes, most_bytes: int, native: bool, limits: Limits = DEFAULT) -> Sequence[str]:
    """Audits, loads and tests the model in an exported file; returns the paths that must not be registered.

    `native`: accept bytes that only a library's own parser (LightGBM's) reads. Raises BundleRefused, Unavailable.
    """
    with Cage(limits) as cage:
        try:
            reply = cage.ask(CheckArchive(data, most_bytes, native))
        except CageDied as died:
            raise BundleRefused(f"it cannot be loaded: {died}") from None
    match reply:
        case Passed(left_out):
            return left_out
        case Refused(reason):
            raise BundleRefused(reason)
    raise BundleRefused("the process that loaded it sent an invalid reply")


def check_model(
    saved: Manifest, digest: str, files: Mapping[str, bytes], serving: bool = True, limits: Limits = DEFAULT
) -> None:
    """Loads a registered model from `files`, whose digests were checked, and compares its golden rows.

    Without `serving`, loads only its pipeline. Raises ModelRefused, Unavailable.
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
    raise ModelRefused(f"{saved.name}: the process that loaded it sent an invalid reply; select another model")


def convert_pickle(
    files: Mapping[str, bytes],
    name: str,
    metadata: Mapping[str, Any],
    features: Sequence[str],
    classes: Sequence[str] = (),
    optional: bool = False,
    limits: Limits = TRUSTED,
) -> bytes:
    """Loads pickles in the cage, and returns the resulting model as an exported file.

    The result must be checked like any other. `files` are by name; `features` and `classes` are given by a person;
    `optional`: a scaler or an encoder that does not fit the model belongs to another one.

    Raises InvalidInput, TypeRefused, Unavailable.
    """
    request = Convert(dict(files), name, json.dumps(metadata).encode(), list(features), list(classes), optional)
    with Cage(limits) as cage:
        try:
            reply = cage.ask(request, None, MAX_CONVERTED)
        except CageDied as died:
            raise InvalidInput(f"{name} cannot be loaded: {died}") from None
    match reply:
        case Converted(archive):
            return archive
        case Refused(reason, foreign):
            raise TypeRefused(reason) if foreign else InvalidInput(reason)
    raise InvalidInput(f"{name}: the process that loaded it sent an invalid reply")
