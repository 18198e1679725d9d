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
from zelador.training_queue import RunRequest

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
OF_FORM = {  # keys of a request, and of its data set, that the form of a new run has fields for
    "metric", "notes", "candidates", "dataset", "devices", "from", "to", "split", "positive", "cost_missed",
    "cost_false_alarm", "recall", "tune_s", "budget_s", "blend", "stack", "balance",
}  # fmt: skip
FORM_REGISTERS = (True, False, [1])
FEATURES, CLASSES = _("Features"), _("Classes")


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


def beyond_form(
    language: Language, request: RunRequest, usual: Mapping[str, object], candidates: Mapping[str, str]
) -> tuple[str, ...]:
    """Returns the settings of a run that the form of a new run has no field for, each with its name.

    `usual` is the query of a data set for which nothing was asked.
    """
    query = {name: value for name, value in mapping(request.get("dataset")).items() if value != usual.get(name)}
    asked: dict[str, Any] = {**request, **query}
    if asked.get("register") in FORM_REGISTERS:
        del asked["register"]
    asked.pop("names", None)  # of the models that it saved
    names = {"features": FEATURES, "classes": CLASSES, "labels": CLASSES, "exclude": NAMES["exclude"]}
    found = []
    for name in sorted(asked.keys() - OF_FORM):
        value = asked[name]
        if name == "register":
            found.append(_saved(language, value))
        elif name == "gpu":
            found += [language.text(MORE["gpu"])] if value else []
        elif value:
            listed_names = [candidates.get(str(each), str(each)) for each in listed(value)]
            called = language.text(names[name]) if name in names else name
            found.append(f"{called}: {_joined(listed_names) if listed_names else value}")
    return tuple(found)


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
