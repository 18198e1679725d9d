"""A model as one file: a zip of its manifest and the files that it names. What comes in is audited first."""

from __future__ import annotations

import io
import lzma
import struct
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import msgspec

from registry import golden, manifest
from registry.artefact import AGREEMENT, ONNX, PIPELINE, REPORT, open_classifier
from registry.changes import checked_tags
from registry.errors import ArchiveRefused, ModelRefused
from registry.integrity import load_pipeline
from registry.manifest import Manifest
from registry.manifest_shape import check_manifest
from registry.zip_layout import check_layout
from zelador.errors import InvalidInput

if TYPE_CHECKING:
    from registry.registry import Registry

MOST_FILES = 200
MIB = 1_048_576
# Bytes of what is read whole as JSON.
MOST = {manifest.FILE: 2 * MIB, golden.FILE: 8 * MIB, AGREEMENT: MIB, "report/report.json": 8 * MIB}
DAMAGED = (
    zipfile.BadZipFile,
    zipfile.LargeZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    ArithmeticError,
    EOFError,
    LookupError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    OSError,
)
SUFFIXES = frozenset({".csv", ".html", ".json", ".md", ".png", ".svg", ".txt"})  # of a report's files
WHEN = (1980, 1, 1, 0, 0, 0)  # the same model gives the same bytes


def of(registry: Registry, name: str) -> bytes:
    """A registered model, its digests checked. Raises ModelNotFound, ModelRefused."""
    found = registry.manifest(name)
    return pack(found, {path: registry.file(name, path) for path in found.files})


def pack(saved: Manifest, files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for path, data in ((manifest.FILE, manifest.encode(saved)), *sorted(files.items())):
            packed.writestr(zipfile.ZipInfo(path, WHEN), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def unpack(data: bytes, most_bytes: int) -> tuple[Manifest, dict[str, bytes]]:
    """The model in `data`, which unpacked has at most `most_bytes`, once nothing speaks against loading it.

    Nothing is unpickled: types are audited before anything is constructed, and golden rows must be answered as the
    archive says. Raises ArchiveRefused.
    """
    saved, files = read(data, most_bytes)
    _check(saved, files)
    return saved, files


def read(data: bytes, most_bytes: int) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest and the files in `data`, bounded and of the right shape; none of them is opened. As `unpack`."""
    try:
        check_layout(data, MOST_FILES)
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            raw, files = _read(packed, most_bytes)
    except ArchiveRefused:
        raise
    except DAMAGED as error:
        raise ArchiveRefused(f"it is no archive of a model (a zip with manifest.json): {error}") from None
    try:
        saved = msgspec.json.decode(raw, type=Manifest)
        check_manifest(saved)
    except (msgspec.DecodeError, RecursionError, UnicodeError, InvalidInput) as error:
        raise ArchiveRefused(f"{manifest.FILE} cannot be read: {error}") from None
    return saved, files


def _read(packed: zipfile.ZipFile, most_bytes: int) -> tuple[bytes, dict[str, bytes]]:
    infos = packed.infolist()
    if manifest.FILE not in [info.filename for info in infos]:
        raise ArchiveRefused("it holds no manifest.json")
    files: dict[str, bytes] = {}
    left = most_bytes
    for info in infos:
        if info.filename != manifest.FILE and not _known(info.filename):
            raise ArchiveRefused(
                f"it holds {info.filename[:80]!r}, which is no file of a model; pickles and joblib files come in by "
                "`zelador models import`, which shows what they contain"
            )
        limit = min(left, MOST.get(info.filename, left))
        with packed.open(info) as file:
            files[info.filename] = file.read(limit + 1)  # the size that the zip states may be a lie
        left -= len(files[info.filename])
        if len(files[info.filename]) > limit:
            raise ArchiveRefused(
                f"unpacked it has more than {most_bytes} bytes, or its {info.filename[:80]} more than {limit}"
            )
    return files.pop(manifest.FILE), files


def _known(path: str) -> bool:
    if path in (PIPELINE, ONNX, golden.FILE, AGREEMENT):
        return True
    pure = PurePosixPath(path)
    parts = pure.parts
    plain = "/".join(parts) == path and not any(part in (".", "..") or part.startswith(".") for part in parts)
    return plain and 2 <= len(parts) <= 4 and parts[0] == REPORT and pure.suffix in SUFFIXES and path.isprintable()


def _check(saved: Manifest, files: Mapping[str, bytes]) -> None:
    if saved.format != manifest.FORMAT:
        raise ArchiveRefused(f"its format is {saved.format}; this version knows {manifest.FORMAT}")
    if set(files) != set(saved.files) or PIPELINE not in files:
        raise ArchiveRefused(f"its files are not those of its manifest, or {PIPELINE} is not among them")
    if (saved.served_by == "onnx") != (ONNX in files) or (saved.classes and golden.FILE not in files):
        raise ArchiveRefused(f"{ONNX} is there without being served, the other way round, or {golden.FILE} is not")
    features = [feature.name for feature in saved.features]
    if not features or len(set(features)) != len(features) or len(set(saved.classes)) != len(saved.classes):
        raise ArchiveRefused("its features or its classes are not each named once")
    try:
        checked_tags(saved.metadata.get("tags") or [])
        for path, data in files.items():
            manifest.check_file(saved.name, path, data, saved.files)
        load_pipeline(saved.name, files[PIPELINE])
        if saved.classes:
            open_classifier(saved, "", files)
    except (ModelRefused, InvalidInput, TypeError) as error:
        raise ArchiveRefused(str(error).partition("; restore it")[0]) from None
    except Exception as error:  # noqa: BLE001 - a stranger's model may raise anything at its golden rows
        raise ArchiveRefused(f"it cannot be loaded ({type(error).__name__}: {error})") from None
