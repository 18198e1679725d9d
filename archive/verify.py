"""Checks every file of an archive against its log. Reads one file at a time."""

from __future__ import annotations

from dataclasses import dataclass, field

from archive import paths
from archive.archive import Archive
from archive.layout import File, keys_of
from zelador.errors import Corrupt


@dataclass(frozen=True, slots=True)
class Damage:
    path: str
    where: str  # path or URL
    why: str


@dataclass(slots=True)
class Report:
    """The result. `files`, `readings` and `outcomes` count what is intact; `uncommitted`, files that do not count."""

    files: int = 0
    readings: int = 0
    outcomes: int = 0
    uncommitted: int = 0
    damaged: list[Damage] = field(default_factory=list)


def verify(archive: Archive) -> Report:
    """Checks all files. Raises Corrupt if the log itself is damaged; Unavailable."""
    snapshot, report = archive.snapshot(), Report()
    committed = {file.path: file for file in (*snapshot.readings, *snapshot.outcomes)}
    for file in committed.values():
        if (why := damage(archive, file)) is not None:
            report.damaged.append(Damage(file.path, archive.where(file), why))
            continue
        report.files += 1
        if file.kind == "readings":
            report.readings += file.rows
        else:
            report.outcomes += file.rows
    count = {key for path in committed for key in paths.stages(archive.store, path)}
    report.uncommitted = sum(item.key not in count for folder in paths.FOLDERS for item in archive.store.list(folder))
    return report


def damage(archive: Archive, file: File) -> str | None:
    """Returns what is wrong with a file; None if it is intact."""
    try:
        table = archive.table(file)
    except Corrupt as error:
        return str(error)
    if table.num_rows != file.rows or keys_of(table) != file.keys:
        return f"has other rows than the archive's log says ({table.num_rows}, not {file.rows})"
    return None
