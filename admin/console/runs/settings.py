"""What a run was asked for, and what the settings decided, as its page lists it; and the parameters of a candidate."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from admin.console.catalog import mark as _
from admin.console.language import Language
from admin.console.sent_words import CHOICES
from operations.views.metadata import numbers, time_of
from operations.views.run_view import RunView
from registry.metadata import listed, mapping

MORE: Mapping[str, str] = {**CHOICES["more"], "gpu": _("PyCaret may use a GPU")}
NAMES: Mapping[str, str] = {
    "devices": _("Devices"),
    "from": _("From"),
    "to": _("To"),
    "cost_missed": _("Cost of a missed reading"),
    "cost_false_alarm": _("Cost of a false alarm"),
    "recall": _("Find at least"),
    "candidates": _("Candidates"),
    "exclude": _("Left out"),
    "tune_s": _("Tune the best three for"),
    "budget_s": _("Compare for at most"),
    "more": _("Besides"),
    "register": _("When it ends"),
}
ALL, FAST = _("all"), _("the fast ones")
CHOOSE, SAVE_FIRST, SAVE_ALL = (CHOICES["save"][each] for each in ("", "first", "all"))
SAVE_RANKS = _("Save those of rank %(ranks)s")
PARAMETERS: Mapping[str, str] = {  # of scikit-learn, LightGBM, XGBoost and CatBoost
    "n_estimators": _("%(value)s trees"),
    "iterations": _("%(value)s trees"),
    "max_depth": _("depth %(value)s"),
    "depth": _("depth %(value)s"),
    "num_leaves": _("%(value)s leaves"),
    "learning_rate": _("learning rate %(value)s"),
    "n_neighbors": _("%(value)s neighbors"),
    "C": "C = %(value)s",
    "alpha": "alpha = %(value)s",
    "reg_param": "reg_param = %(value)s",
    "var_smoothing": "var_smoothing = %(value)s",
}
MAX_LISTED = 20


def settings_of(language: Language, run: RunView, candidates: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """Returns names and values, without those that the page shows elsewhere: metric, positive class and split.

    `candidates` are the names of the classifiers by PyCaret's id.
    """
    asked: dict[str, Any] = {**run.request, **mapping(run.result.get("request"))}
    query = {**mapping(asked.get("dataset")), **mapping(mapping(run.result.get("data")).get("query"))}
    return tuple((language.text(NAMES[name]), text) for name, text in _rows(language, asked, query, candidates) if text)


def _rows(
    language: Language, asked: Mapping[str, Any], query: Mapping[str, Any], candidates: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    _t, figures = language.text, numbers(asked)
    yield "devices", _joined(query.get("devices") or asked.get("devices")) or _t(ALL)
    for name in ("from", "to"):
        at = time_of(query.get(name))
        yield name, "" if at is None else language.day_and_time(at)
    if "recall" in figures:
        yield "recall", language.percent(figures["recall"])
    else:
        for name in ("cost_missed", "cost_false_alarm"):
            yield name, language.plain(figures[name]) if name in figures else ""
    named = [candidates.get(str(each), str(each)) for each in listed(asked.get("candidates"))]
    yield "candidates", _joined(named) or _t(FAST)
    yield "exclude", _joined([candidates.get(str(each), str(each)) for each in listed(asked.get("exclude"))])
    for name in ("tune_s", "budget_s"):
        yield name, language.duration(figures[name]) if figures.get(name) else ""
    yield "more", "; ".join(_t(text) for name, text in MORE.items() if asked.get(name) is True)
    yield "register", _saved(language, asked.get("register"))


def parameters_text(language: Language, parameters: Mapping[str, Any]) -> str:
    """Returns the parameters of a candidate that a reader may know, such as 100 trees, depth 4."""
    known = numbers(parameters)
    shown = [
        language.text(text, value=language.plain(known[name]) if known[name] >= 1e-6 else f"{known[name]:g}")
        for name, text in PARAMETERS.items()
        if known.get(name, -1.0) > 0  # LightGBM has a depth of -1 for any
    ]
    return ", ".join(shown)


def _saved(language: Language, register: object) -> str:
    if isinstance(register, bool):
        return language.text(SAVE_ALL if register else CHOOSE)
    if not isinstance(register, list | tuple):
        return ""
    ranks = ", ".join(map(str, register))
    return language.text(SAVE_FIRST) if ranks == "1" else language.text(SAVE_RANKS, ranks=ranks)


def _joined(names: object) -> str:
    if not isinstance(names, list | tuple):
        return ""
    more = "" if len(names) <= MAX_LISTED else ", …"
    return ", ".join(map(str, names[:MAX_LISTED])) + more
