"""`zelador models select`, `rollback`, `annotate`, `rename`, `delete`. Each adds one entry to the registry's log."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from command.models.target import Facts, Home, Json, Key, Name, Url, Why, open_target
from command.terminal import print_json, say
from zelador.errors import InvalidInput

Force = Annotated[
    bool, typer.Option("--force", help="Select it although the plant does not send every feature that it needs.")
]


def select(
    name: Name,
    force: Force = False,
    why: Why = "",
    home: Home = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Select the model that classifies readings. Workers load it within seconds.

    A model that needs a feature which ZELADOR_FEATURES does not list is refused, because no worker could use it. A
    warning is printed if its run did not recommend it, or if it is worse than the selected model on the same readings.
    """
    _print_selection(open_target(home, url, key, "change").select(name, why, force), as_json)


def rollback(
    force: Force = False, why: Why = "", home: Home = None, url: Url = None, key: Key = None, as_json: Json = False
) -> None:
    """Select the previously selected model again. Deleted models are skipped.

    A previous model that needs a feature which ZELADOR_FEATURES does not list is refused, as by `select`.
    """
    _print_selection(open_target(home, url, key, "change").roll_back(why, force), as_json)


def annotate(
    name: Name,
    description: Annotated[str | None, typer.Option(help="Replace the description.")] = None,
    notes: Annotated[str | None, typer.Option(help="Replace the notes.")] = None,
    values: Annotated[
        list[str] | None, typer.Option("--set", help="Set KEY=VALUE; the value may be JSON. May be repeated.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Add a tag. May be repeated.")] = None,
    untag: Annotated[list[str] | None, typer.Option(help="Remove a tag. May be repeated.")] = None,
    why: Why = "",
    home: Home = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Change the description, notes, metadata and tags of a model. The model itself never changes."""
    metadata = dict(map(_pair, values or ()))
    metadata.update({k: v for k, v in (("description", description), ("notes", notes)) if v is not None})
    from registry.facts import FIXED

    if fixed := sorted(FIXED & set(metadata)):
        raise InvalidInput(f"--set {fixed[0]}: this key is set by training or by the model file; choose another key")
    if not metadata and not tag and not untag:
        raise InvalidInput(
            "nothing to change: give --description TEXT, --notes TEXT, --set KEY=VALUE, --tag TAG or --untag TAG"
        )
    facts = open_target(home, url, key, "change").annotate(name, metadata, tag or (), untag or (), why)
    if as_json:
        print_json(facts)
        return
    tags = ", ".join(facts.get("tags", ())) or "none"
    say(f"annotated {name}; tags: {tags}")


def rename(
    name: Name,
    to: Annotated[str, typer.Argument(help="The new name. No other model may have it.")],
    why: Why = "",
    home: Home = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Rename a model. The selected model cannot be renamed.

    The history keeps the earlier names, and rollback still finds the model.
    """
    facts = open_target(home, url, key, "change").rename(name, to, why)
    if as_json:
        print_json(facts)
    else:
        say(f"renamed {name} to {facts['name']}; earlier history entries keep the old name")


def delete(
    name: Name, why: Why = "", home: Home = None, url: Url = None, key: Key = None, as_json: Json = False
) -> None:
    """Delete a model. The selected model cannot be deleted. `collect` deletes its files after the grace period."""
    open_target(home, url, key, "change").delete(name, why)
    if as_json:
        print_json({"deleted": name})
    else:
        say(f"deleted {name}; its entries stay in the log, and collect deletes its files after the grace period")


def _print_selection(selection: Facts, as_json: bool) -> None:
    if as_json:
        print_json(selection)
        return
    say(f"selected {selection['model']} (selection {selection['sequence']}); workers will load it")
    for doubt in selection.get("warnings", ()):
        say(f"warning: {doubt}", error=True)


def _pair(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise InvalidInput(f"--set {text}: write KEY=VALUE")
    try:
        return key.strip(), json.loads(value)
    except ValueError:
        return key.strip(), value
