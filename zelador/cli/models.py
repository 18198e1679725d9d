"""`zelador models`: the registry of the settings (ZELADOR_REGISTRY__URL)."""

from __future__ import annotations

import getpass
import json
from typing import Annotated, Any

import typer
from rich.table import Table

from zelador.cli.tables import output
from zelador.settings import load_settings

app = typer.Typer(no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="JSON for scripts.")]
Why = Annotated[str, typer.Option(help="Kept in the history.")]


@app.command("list")
def list_(as_json: Json = False) -> None:
    """Every registered model, the newest first."""
    state = _registry().state
    models = sorted(state.models.values(), key=lambda model: model.saved_at, reverse=True)
    selected = state.selection.model if state.selection else None
    if as_json:
        print(json.dumps([_entry(model, selected) for model in models], ensure_ascii=False))
        return
    table = Table(box=None)
    for column in ("", "name", "type", "metric", "folds", "hold-out", "served by", "saved"):
        table.add_column(column, no_wrap=column == "name")
    for model in models:
        facts = model.metadata
        metric = facts.get("metric") or ""
        scores = [_score((facts.get(part) or {}).get(metric)) for part in ("metrics", "holdout")]
        mark = "●" if model.name == selected else ""
        kind, served = str(facts.get("model_type", "")), str(facts.get("served_by", ""))
        table.add_row(mark, model.name, kind, metric, *scores, served, model.saved_at[:19].replace("T", " "))
    output().print(table if models else "no model is registered yet: zelador train, or zelador demo")


@app.command()
def show(name: str, as_json: Json = False) -> None:
    """All that is known of one model."""
    registry = _registry()
    state = registry.state
    selected = state.selection.model if state.selection else None
    entry = {**_entry(state.model(name), selected), "path": registry.where(state.model(name))}
    if as_json:
        print(json.dumps(entry, ensure_ascii=False))
        return
    output().print_json(json.dumps(entry, ensure_ascii=False))


@app.command()
def select(name: str, why: Why = "", as_json: Json = False) -> None:
    """Make a model the live one; workers take it up within seconds."""
    selection = _registry().select(name, by=getpass.getuser(), why=why)
    if as_json:
        print(json.dumps({"model": selection.model, "sequence": selection.sequence, "at": selection.at}))
    else:
        print(f"{selection.model} is selected (selection {selection.sequence}); workers take it up by themselves")


@app.command()
def delete(name: str, why: Why = "") -> None:
    """Delete a model and its files; the selected one is refused."""
    _registry().delete(name, by=getpass.getuser(), why=why)
    print(f"{name} is deleted; the log keeps that it was")


def _registry() -> Any:
    from registry.registry import Registry

    return Registry.open(load_settings().registry)


def _entry(model: Any, selected: str | None) -> dict[str, Any]:
    return {
        "name": model.name,
        "selected": model.name == selected,
        "digest": model.digest,
        "saved_at": model.saved_at,
        "saved_by": model.saved_by,
        **model.metadata,
    }


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"
