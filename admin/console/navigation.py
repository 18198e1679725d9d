"""The navigation rail: the pages, their groups, and the lowest role that sees each."""

from __future__ import annotations

from dataclasses import dataclass

from admin.console.catalog import mark as _
from operations.key_file import Key, Role


@dataclass(frozen=True, slots=True)
class Item:
    name: str  # the section, and the last part of the path
    title: str
    icon: str
    role: Role = "viewer"
    count: str = ""  # of the counts beside the title: "quarantine", "alarms"

    @property
    def path(self) -> str:
        return f"/console/{self.name}"


@dataclass(frozen=True, slots=True)
class Group:
    title: str
    items: tuple[Item, ...]


GROUPS = (
    Group(
        _("Live"),
        (
            Item("overview", _("Overview"), "gauge"),
            Item("devices", _("Devices"), "radio-tower", count="alarms"),
            Item("labels", _("Labels"), "tag"),
            Item("quarantine", _("Quarantine"), "archive", count="quarantine"),
        ),
    ),
    Group(
        _("Models"),
        (
            Item("models", _("Models"), "box"),
            Item("training", _("Training"), "chart-no-axes-column"),
            Item("runs", _("Runs"), "list-checks"),
            Item("classify", _("Classify by hand"), "hand"),
        ),
    ),
    Group(
        _("Administration"),
        (
            Item("audit", _("Audit"), "scroll-text", "admin"),
            Item("keys", _("Keys"), "key-round", "admin"),
        ),
    ),
)


def rail(key: Key) -> list[Group]:
    """Returns the groups and items that the key may see."""
    found = [Group(group.title, tuple(item for item in group.items if key.may(item.role))) for group in GROUPS]
    return [group for group in found if group.items]


def list_of(path: str) -> Item:
    """Returns the page that lists what is at a path; the overview, if there is none, or it is the page itself."""
    plain = path.partition("?")[0].rstrip("/")
    items = [item for group in GROUPS for item in group.items]
    return next((each for each in items if each.name == section_of(path) and each.path != plain), items[0])


def section_of(path: str) -> str:
    """Returns the section of a page's path; empty if it is in none."""
    first = path.partition("?")[0].removeprefix("/console/").partition("/")[0]
    return first if any(item.name == first for group in GROUPS for item in group.items) else ""
