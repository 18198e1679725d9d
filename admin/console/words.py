"""Words for what the API names by fixed English values: acts, labels, people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from admin.console.language import Language
from admin.services import Services
from operations.audit import Act
from operations.key_file import list_keys
from zelador.errors import ZeladorError


def _(text: str) -> str:
    """Marks a text for the catalog; it is translated when it is shown."""
    return text


ACTS: Mapping[str, str] = {
    Act.MODEL_REGISTERED: _("%(who)s registered %(target)s"),
    Act.MODEL_ANNOTATED: _("%(who)s changed the notes of %(target)s"),
    Act.MODEL_RENAMED: _("%(who)s renamed %(target)s"),
    Act.MODEL_DELETED: _("%(who)s deleted %(target)s"),
    Act.MODEL_SELECTED: _("%(who)s selected %(target)s"),
    Act.SELECTION_ROLLED_BACK: _("%(who)s rolled back to %(target)s"),
    Act.RUN_REQUESTED: _("%(who)s started run %(target)s"),
    Act.RUN_CANCELLED: _("%(who)s canceled run %(target)s"),
    Act.QUARANTINE_REPLAYED: _("%(who)s replayed %(target)s from quarantine"),
    Act.QUARANTINE_DISCARDED: _("%(who)s discarded %(target)s from quarantine"),
    Act.KEY_MADE: _("%(who)s made key %(target)s"),
    Act.KEY_REVOKED: _("%(who)s revoked key %(target)s"),
    Act.REGISTRY_ACCEPTED: _("%(who)s confirmed the restored registry"),
    Act.REGISTRY_COLLECTED: _("%(who)s freed space in the registry"),
    Act.REGISTRY_TRUSTED: _("%(who)s vouched for the registry's entries"),
}
MAX_TARGET = 60


@dataclass(frozen=True, slots=True)
class Event:
    """A change, in a sentence."""

    at: str
    sentence: str


def sentence(language: Language, who: str, what: str, target: str) -> str:
    """An entry of the audit log as a sentence; as it is written there if the act is a new one."""
    pattern = ACTS.get(what)
    shown = target if len(target) <= MAX_TARGET else f"{target[:MAX_TARGET]}…"
    if pattern is None:
        return f"{who}: {what} {shown}"
    return language.text(pattern, who=who, target=shown)


def people(services: Services) -> dict[str, str]:
    """The names that admins see for the keys in history and audit log: `key 4f2a91c0` by its note."""
    try:
        keys = list_keys(services.settings.api.keys_file)
    except ZeladorError:
        return {}
    return {f"key {key.id}": key.note for key in keys if key.note}


FEATURES: Mapping[str, str] = {
    "lux": _("Lux"),
    "temperature": _("Temperature"),
    "vibration": _("Vibration"),
    "humidity": _("Humidity"),
    "pressure": _("Pressure"),
    "current": _("Current"),
}


def feature_text(language: Language, name: str) -> str:
    """The name of a feature: the usual ones are translated, all others are the site's own words."""
    return language.text(FEATURES[name]) if name in FEATURES else name[:1].upper() + name[1:].replace("_", " ")


def label_text(language: Language, label: Any) -> str:
    """A label: yes and no are translated, all others are the site's own words."""
    if label == "yes":
        return language.text("yes")
    return language.text("no") if label == "no" else str(label)
