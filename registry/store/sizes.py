"""Size limits for each kind of file: anyone may have written the files in the folder."""

from __future__ import annotations

from zelador.errors import Corrupt

MIB = 1 << 20
# (suffix, prefix, bytes); the first match for a key counts.
LIMITS = (
    ("log/", "", 16 * MIB),
    ("", "/manifest.json", 16 * MIB),
    ("checkpoints/", "", 256 * MIB),
    ("", "/run.json", 64 * MIB),
    ("", "/events.json", 16 * MIB),
    ("", "registry.json", 256 * MIB),
    ("", "registry.json.state", MIB),
    ("", "", 1024 * MIB),  # a model's own files
)


def limit_of(key: str) -> int:
    return next(size for start, end, size in LIMITS if key.startswith(start) and key.endswith(end))


def check_size(key: str, size: int) -> None:
    """Checks the size of a file. Raises Corrupt."""
    if size > (limit := limit_of(key)):
        raise Corrupt(
            f"{key} has {size:,} bytes, and files of its kind have at most {limit:,}: it was not written by Zelador; "
            "remove it, or restore the registry from a backup"
        )
