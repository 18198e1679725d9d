"""Admits an exported file: checks the signature, runs the cage, and only then reads its files in this process."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass

import msgspec

from registry.bundle import bundle
from registry.bundle.zip_layout import check_layout
from registry.cage.check import check_archive
from registry.errors import BundleRefused
from registry.model import manifest
from registry.model.manifest import Manifest
from registry.signing import Keyring
from zelador.errors import Corrupt
from zelador.undecodable import UNDECODABLE


@dataclass(frozen=True, slots=True)
class Incoming:
    """A model that may be registered. `left_out`: files of the archive that must not be."""

    manifest: Manifest
    files: dict[str, bytes]
    left_out: tuple[str, ...]


def admit(data: bytes, most_bytes: int, keyring: Keyring, trust: bool = False) -> Incoming:
    """The model in `data`, after it was audited, loaded and tested in the cage.

    A pipeline in LightGBM's or a similar format is accepted if a key of `keyring` signed the archive, or with `trust`.
    Raises BundleRefused, Unavailable.
    """
    native = trust or _is_ours(data, keyring)
    left_out = check_archive(data, most_bytes, native)
    saved, files = bundle.opened(data, most_bytes)
    kept = {path: content for path, content in files.items() if path not in left_out}
    described = {path: file for path, file in saved.files.items() if path not in left_out}
    return Incoming(msgspec.structs.replace(saved, files=described), kept, tuple(left_out))


def _is_ours(data: bytes, keyring: Keyring) -> bool:
    """True if a key of this registry signed a manifest of exactly these files."""
    if not keyring:
        return False
    try:
        check_layout(data, bundle.MAX_FILES)
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            names = packed.namelist()
            if bundle.SIGNED not in names or manifest.FILE not in names:
                return False
            signed, plain = (_read(packed, name) for name in (bundle.SIGNED, manifest.FILE))
        if not keyring.proves("manifest", signed):
            return False
        return msgspec.json.decode(signed, type=Manifest).files == msgspec.json.decode(plain, type=Manifest).files
    except BundleRefused:
        raise
    except (Corrupt, *UNDECODABLE):
        return False
    except Exception as error:  # noqa: BLE001 - zipfile raises many kinds for a damaged file
        raise BundleRefused(f"it is not an archive of a model (a zip with manifest.json): {error}") from None


def _read(packed: zipfile.ZipFile, name: str) -> bytes:
    with packed.open(name) as file:
        found = file.read(bundle.MAX_FILE_BYTES[name] + 1)
    if len(found) > bundle.MAX_FILE_BYTES[name]:
        raise BundleRefused(f"its {name} has more than {bundle.MAX_FILE_BYTES[name]} bytes")
    return found
