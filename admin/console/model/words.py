"""Translates why a worker refuses a model, which it says in English."""

from __future__ import annotations

from collections.abc import Mapping

from admin.console.catalog import Messages
from admin.console.catalog import mark as _
from admin.console.language import Language

REASONS: Mapping[str, str] = {  # pattern of the worker's reason to its translation
    r"\S+: (?P<file>\S+) does not match its digest; .+": _(
        "%(file)s does not match its digest: the file was damaged or changed. Restore it from a backup."
    ),
    r"\S+: (?P<file>\S+) (cannot be read: .+|is not in its manifest); .+": _(
        "%(file)s cannot be read. Restore it from a backup."
    ),
    r"\S+: manifest\.json is not signed by a key of ZELADOR_REGISTRY__SIGNING_KEY; .+": _(
        "It is not signed by a key of this plant (ZELADOR_REGISTRY__SIGNING_KEY)."
    ),
    r"\S+: it does not answer its golden rows as it did when it was saved \((?P<wrong>\d+) of (?P<all>\d+) labels "
    r"differ, probabilities by up to (?P<far>\S+)\); .+": _(
        "It does not answer its golden rows as it did when it was saved: %(wrong)s of %(all)s labels differ, "
        "probabilities by up to %(far)s."
    ),
    r"\S+: it fails on its golden rows \((?P<why>.+)\).*": _("It fails on its golden rows: %(why)s"),
    r"\S+: it has no \S+, so it is unknown whether it answers": _(
        "It has no golden rows, so it is unknown whether it answers."
    ),
    r"it needs (?P<names>.+), which ZELADOR_FEATURES does not list": _(
        "It needs %(names)s, which the plant does not send (ZELADOR_FEATURES)."
    ),
    r"\S+: model\.(skops|onnx) (is refused: |cannot be loaded |holds |contains )(?P<why>.+)": _(
        "Its file cannot be loaded: %(why)s"
    ),
}
MESSAGES = Messages(REASONS)


def worker_reason(language: Language, reason: str) -> str:
    """Returns the reason in the reader's language; empty for an unknown one."""
    return MESSAGES.translated(language, reason, lambda _name, part: _figure(language, part))


def _figure(language: Language, part: str) -> str:
    return language.number(int(part)) if part.isdecimal() else part
