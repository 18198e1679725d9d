"""An exported file on its way in: signature, cage, and only then its files in this process."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass

import msgspec

from registry.bundle import bundle
from registry.bundle.zip_layout import check_layout
from registry.cage.check import check_archive
from registry.errors import ArchiveRefused
from registry.model import manifest
from registry.model.manifest import Manifest
from registry.signing import Keyring
from zelador.errors import Corrupt


@dataclass(frozen=True, slots=True)
class Incoming:
    """A model that may be registered. `left_out`: files of the archive that are not."""

    manifest: Manifest
    files: dict[str, bytes]
    left_out: tuple[str, ...]


def admit(data: bytes, most_bytes: int, keyring: Keyring, trust: bool = False) -> Incoming:
    """The model in `data`, once it was audited, loaded and tried in the cage.

    A pipeline in a format of LightGBM or its like is taken if a key of `keyring` signed the archive, or with `trust`.
    Raises ArchiveRefused, Unavailable.
    """
    native = trust or _is_ours(data, keyring)
    left_out = check_archive(data, most_bytes, native)
    saved, files = bundle.opened(data, most_bytes)
    kept = {path: content for path, content in files.items() if path not in left_out}
    described = {path: file for path, file in saved.files.items() if path not in left_out}
    return Incoming(msgspec.structs.replace(saved, files=described), kept, tuple(left_out))


def _is_ours(data: bytes, keyring: Keyring) -> bool:
    """Whether a key of ours signed a manifest of these very files."""
    if not keyring:
        return False
    try:
        check_layout(data, bundle.MOST_FILES)
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            names = packed.namelist()
            if bundle.SIGNED not in names or manifest.FILE not in names:
                return False
            signed, plain = (_read(packed, name) for name in (bundle.SIGNED, manifest.FILE))
        if not keyring.proves("manifest", signed):
            return False
        return msgspec.json.decode(signed, type=Manifest).files == msgspec.json.decode(plain, type=Manifest).files
    except ArchiveRefused:
        raise
    except (Corrupt, msgspec.MsgspecError, RecursionError):
        return False
    except Exception as error:  # noqa: BLE001 - zipfile raises many kinds for a damaged file
        raise ArchiveRefused(f"it is no archive of a model (a zip with manifest.json): {error}") from None


def _read(packed: zipfile.ZipFile, name: str) -> bytes:
    with packed.open(name) as file:
        found = file.read(bundle.MOST[name] + 1)
    if len(found) > bundle.MOST[name]:
        raise ArchiveRefused(f"its {name} has more than {bundle.MOST[name]} bytes")
    return found
