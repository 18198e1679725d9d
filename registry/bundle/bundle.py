"""An exported model: a zip of its manifest and the files that it names."""

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

from registry.bundle.zip_layout import check_layout
from registry.changes import checked_tags
from registry.errors import BundleRefused, ModelRefused
from registry.model import golden, manifest
from registry.model.allowed_types import load_pipeline, native_types
from registry.model.artifact import AGREEMENT, ONNX, PIPELINE, REPORT, open_classifier
from registry.model.manifest import Manifest
from registry.model.manifest_shape import check_manifest
from zelador.errors import InvalidInput
from zelador.undecodable import UNDECODABLE

if TYPE_CHECKING:
    from registry.registry import Registry

SIGNED = "signed.json"  # the manifest as signed by the registry that exported the archive
MAX_FILES = 200
MIB = 1_048_576
# Maximum bytes of files that are read completely as JSON.
MAX_FILE_BYTES = {
    manifest.FILE: 2 * MIB,
    SIGNED: 2 * MIB,
    golden.FILE: 8 * MIB,
    AGREEMENT: MIB,
    "report/report.json": 8 * MIB,
}
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
SUFFIXES = frozenset({".csv", ".html", ".json", ".md", ".png", ".svg", ".txt"})  # of the files of a report
WHEN = (1980, 1, 1, 0, 0, 0)  # constant, so that the same model gives the same bytes


def of(registry: Registry, name: str) -> bytes:
    """Exports a registered model; checks its digests. Raises ModelNotFound, ModelRefused."""
    found = registry.manifest(name)
    files = {path: registry.file(name, path) for path in found.files}
    signed = registry.signed_manifest(name)
    return pack(found, files if signed is None else {**files, SIGNED: signed})


def pack(saved: Manifest, files: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as packed:
        for path, data in ((manifest.FILE, manifest.encode(saved)), *sorted(files.items())):
            packed.writestr(zipfile.ZipInfo(path, WHEN), data, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def opened(data: bytes, most_bytes: int) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest and files in `data`, which may unpack to `most_bytes`. Loads nothing. Raises BundleRefused.

    The cage (registry/bundle/incoming.py) calls `check` to find out whether the model may be loaded.
    """
    saved, files = read(data, most_bytes)
    if saved.format != manifest.FORMAT:
        raise BundleRefused(f"its format is {saved.format}; this version supports {manifest.FORMAT}")
    files.pop(SIGNED, None)  # its signature was checked earlier, or is not needed
    if set(files) != set(saved.files) or (PIPELINE not in files and ONNX not in files):
        raise BundleRefused(f"its files do not match its manifest, or {PIPELINE} is not among them")
    for path, content in files.items():
        try:
            manifest.check_file(saved.name, path, content, saved.files)
        except ModelRefused as error:
            raise BundleRefused(str(error).partition("; restore it")[0]) from None
    return saved, files


def read(data: bytes, most_bytes: int) -> tuple[Manifest, dict[str, bytes]]:
    """The manifest and files in `data`, checked for size and shape. Raises BundleRefused."""
    try:
        check_layout(data, MAX_FILES)
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            raw, files = _read(packed, most_bytes)
    except BundleRefused:
        raise
    except DAMAGED as error:
        raise BundleRefused(f"it is not an archive of a model (a zip with manifest.json): {error}") from None
    try:
        saved = msgspec.json.decode(raw, type=Manifest)
        check_manifest(saved)
    except (*UNDECODABLE, InvalidInput) as error:
        raise BundleRefused(f"{manifest.FILE} cannot be read: {error}") from None
    return saved, files


def without_native(saved: Manifest, files: dict[str, bytes], native: bool) -> list[str]:
    """Removes a pipeline that only a library's own C++ parser can read, unless `native` allows it.

    Returns the removed paths. Raises BundleRefused if the model cannot be served without it.
    """
    if native or PIPELINE not in files or not (types := native_types(files[PIPELINE])):
        return []
    if saved.served_by != "onnx":
        library = types[0].partition(".")[0]
        raise BundleRefused(
            f"{PIPELINE} holds a model in the format of {library} ({types[0]}), which its own parser would read, and "
            "no signing key of this registry signed the archive; if you know who made it: zelador models import FILE "
            "--trust on the registry's machine"
        )
    del files[PIPELINE]
    return [PIPELINE]


def _read(packed: zipfile.ZipFile, most_bytes: int) -> tuple[bytes, dict[str, bytes]]:
    infos = packed.infolist()
    if manifest.FILE not in [info.filename for info in infos]:
        raise BundleRefused("it contains no manifest.json")
    files: dict[str, bytes] = {}
    left = most_bytes
    for info in infos:
        if info.filename != manifest.FILE and not _known(info.filename):
            raise BundleRefused(
                f"it holds {info.filename[:80]!r}, which is not a file of a model; for pickles and joblib files use "
                "`zelador models import`, which shows what they contain"
            )
        limit = min(left, MAX_FILE_BYTES.get(info.filename, left))
        with packed.open(info) as file:
            files[info.filename] = file.read(limit + 1)  # the size that the zip states may be wrong
        left -= len(files[info.filename])
        if len(files[info.filename]) > limit:
            raise BundleRefused(
                f"unpacked it has more than {most_bytes} bytes, or its {info.filename[:80]} more than {limit}"
            )
    return files.pop(manifest.FILE), files


def _known(path: str) -> bool:
    if path in (PIPELINE, ONNX, golden.FILE, AGREEMENT, SIGNED):
        return True
    pure = PurePosixPath(path)
    parts = pure.parts
    plain = "/".join(parts) == path and not any(part in (".", "..") or part.startswith(".") for part in parts)
    return plain and 2 <= len(parts) <= 4 and parts[0] == REPORT and pure.suffix in SUFFIXES and path.isprintable()


def check(saved: Manifest, files: Mapping[str, bytes]) -> None:
    """Loads the model and compares its golden rows. Call it in the cage. Raises BundleRefused."""
    if (saved.served_by == "onnx") != (ONNX in files) or golden.FILE not in files:
        raise BundleRefused(f"{golden.FILE} is missing, or {ONNX} does not match how the model is served")
    features = [feature.name for feature in saved.features]
    if not features or len(set(features)) != len(features) or len(set(saved.classes)) != len(saved.classes):
        raise BundleRefused("its features must have distinct names, and so must its classes")
    try:
        checked_tags(saved.metadata.get("tags") or [])
        if PIPELINE in files:
            load_pipeline(saved.name, files[PIPELINE])
        open_classifier(saved, "", files)
    except (ModelRefused, InvalidInput, TypeError) as error:
        raise BundleRefused(str(error).partition("; restore it")[0]) from None
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - a stranger's model may raise anything at its golden rows
        raise BundleRefused(f"it cannot be loaded ({type(error).__name__}: {error})") from None
