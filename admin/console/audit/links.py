"""Leads from an entry of the audit log to what it is about: a device, a model or a run that still exists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

import redis
from markupsafe import Markup

from admin.console.existing import is_stored, known_devices
from admin.console.render import breakable
from admin.services import Services
from operations.audit import Act
from operations.audit_entry import Change
from operations.views.audit import KINDS
from zelador.errors import ZeladorError

OF_DEVICES = (*KINDS["labels"], *KINDS["devices"], *KINDS["quarantine"])


@dataclass(frozen=True, slots=True)
class Subject:
    """What an entry is about. `page` is the page of such things."""

    page: str
    name: str


def subject_of(entry: Change) -> Subject | None:
    """Returns the device, model or run that an entry is about; None if it is none of these. Pure."""
    what = entry.what
    if what in KINDS["devices"]:
        return Subject("devices", entry.target)
    if what in OF_DEVICES:
        return next((Subject("devices", name) for name in map(_device, (entry.after, entry.before)) if name), None)
    if what in KINDS["runs"] or what == Act.PROMOTION_DECIDED:
        return Subject("runs", entry.target)
    return Subject("models", entry.target) if what in (*KINDS["models"], *KINDS["selections"]) else None


def existing(services: Services, entries: Iterable[Change]) -> frozenset[Subject]:
    """Returns the subjects of entries that have a page."""
    found = {subject for entry in entries if (subject := subject_of(entry))}
    models = services.registry.state.models
    known = known_devices(services, [each.name for each in found if each.page == "devices"])
    return frozenset(
        each
        for each in found
        if (each.page == "models" and each.name in models)
        or (each.page == "devices" and each.name in known)
        or (each.page == "runs" and _is_run(services, each.name))
    )


def linked(sentence: str, subject: Subject | None) -> Markup:
    """Returns a sentence in which the name of its subject leads to its page."""
    before, name, after = sentence.partition(subject.name if subject and subject.name else "\0")
    if subject is None or not name:
        return breakable(sentence)
    path = f"/console/{subject.page}/{quote(subject.name, safe='')}"
    return Markup('{}<a href="{}">{}</a>{}').format(breakable(before), path, breakable(name), breakable(after))


def _device(facts: object) -> str:
    name = facts.get("device") if isinstance(facts, Mapping) else None
    return name if isinstance(name, str) else ""


def _is_run(services: Services, run: str) -> bool:
    if is_stored(services.registry, run):
        return True
    try:  # it may be only in the queue yet
        services.run_views.run(run)
    except (ZeladorError, redis.RedisError, OSError):
        return False
    return True
