"""Registers the archive with Redis, and compares the positions that Redis and the archive's log have."""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass

from archive.archive import Archive
from archive.state import State, seen_of
from zelador.buffer.archive_stream import START, ArchiveStream, Seen, say_end
from zelador.buffer.entry import order_of
from zelador.errors import Unavailable

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Place:
    """The place where archiving continues: after the entry `at`. `remark` is for the operator."""

    at: str
    remark: str | None = None


def register(archive: Archive, stream: ArchiveStream, hold_bytes: int, by: str) -> Place:
    """Registers the archive if needed. Returns where archiving continues.

    Raises Unavailable, Corrupt, Moved, Stopping.
    """
    state = _created(archive, by)
    at, new = stream.begin(hold_bytes)
    seen = stream.seen()
    remark = None
    if seen is not None and seen.archive != state.archive:
        log.warning(
            "%s is not the archive that was written before, %s: all readings in Redis are archived in it, the oldest "
            "first",
            archive.url,
            seen.archive,
        )
        if not new:
            say_end(*stream.end())
            at, new = stream.begin(hold_bytes)
    elif seen is not None and _has_lost_entries(archive, state, seen):
        at, remark = _after_restore(state, stream, seen, at, new)
    if new:
        log.info("archiving to %s, starting with the oldest reading in Redis", archive.url)
    return Place(at, remark or _ahead_remark(state, stream))


def _created(archive: Archive, by: str) -> State:
    state = archive.log.sync()
    while state.seq == 0:
        archive.log.commit([{"op": "create", "archive": uuid.uuid4().hex}], state, by=by)
        state = archive.log.sync()
        if state.seq:
            log.info("there was no archive in %s; one was created", archive.url)
            try:
                archive.store.replace("README.txt", README.encode())
            except Unavailable as error:
                log.warning("README.txt of the archive was not written: %s", error)
    return state


def _has_lost_entries(archive: Archive, state: State, seen: Seen) -> bool:
    return state.seq < seen.seq or archive.log.digest_at(seen.seq) not in (seen.head, None)  # None if it was pruned


def _after_restore(state: State, stream: ArchiveStream, seen: Seen, at: str, new: bool) -> tuple[str, str]:
    """Returns where to continue if the log lost its newest entries, because it was restored from a copy."""
    to = min(state.last.get("readings", START), at, key=order_of)
    lost = max(0, seen.rows - state.rows.get("readings", 0))
    found = 0 if new else stream.rewind(at, to, lost, seen_of(state))
    remark = (
        f"the archive was restored or replaced: its log has entry {state.seq}, but entry {seen.seq} was written at "
        f"{seen.at}; of {lost} readings that it had, {found} are still in Redis and archived again"
    )
    log.error("%s", remark)
    return to, remark


def _ahead_remark(state: State, stream: ArchiveStream) -> str | None:
    """Returns a remark if the archive has readings that the stream never had, because Redis lost them; else None."""
    last, newest = state.last.get("readings"), stream.newest()
    if last is None or order_of(newest) >= order_of(last):
        return None
    gone = sum(file.rows for file in state.of("readings") if order_of(file.first) > order_of(newest))
    remark = (
        f"Redis came back without its last seconds, or is another one: the archive has readings up to the entry "
        f"{last}, but the stream ends at {newest}; at least {gone} readings are only in the archive"
    )
    log.warning("%s", remark)
    return remark


README = """This folder is a Zelador archive: readings and their predictions as Parquet files.

log/          says which files count: one entry per change; never edit or delete an entry
readings/     one row per reading; outcomes/  one row per prediction
checkpoints/  derived from the log, for a fast start

In a folder, readings/**/*.parquet has each archived reading once. new/ has files that are not committed yet, replaced/
those that were merged or removed, for a day. In a bucket, read the files that `zelador archive files` names.
"""
