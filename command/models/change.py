"""`zelador models select`, `rollback`, `annotate`, `rename`, `delete`: each one entry of the log, with who and why."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from command.models.target import Facts, Home, Json, Key, Name, Url, Why, open_place
from command.terminal import print_json, say
from zelador.errors import InvalidInput


def select(
    name: Name, why: Why = "", home: Home = None, url: Url = None, key: Key = None, as_json: Json = False
) -> None:
    """Make a model the live one; workers take it up within seconds."""
    _say(open_place(home, url, key, "change").select(name, why), as_json)


def rollback(why: Why = "", home: Home = None, url: Url = None, key: Key = None, as_json: Json = False) -> None:
    """Select again what was selected before; models that were deleted are passed over."""
    _say(open_place(home, url, key, "change").roll_back(why), as_json)


def annotate(
    name: Name,
    description: Annotated[str | None, typer.Option(help="Replaces the description.")] = None,
    notes: Annotated[str | None, typer.Option(help="Replaces the notes.")] = None,
    values: Annotated[
        list[str] | None, typer.Option("--set", help="KEY=VALUE, the value as JSON where it is such. May be repeated.")
    ] = None,
    tag: Annotated[list[str] | None, typer.Option(help="Add a tag. May be repeated.")] = None,
    untag: Annotated[list[str] | None, typer.Option(help="Take a tag away. May be repeated.")] = None,
    why: Why = "",
    home: Home = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Add notes, keys and tags to a model; the model itself never changes."""
    metadata = dict(map(_pair, values or ()))
    metadata.update({k: v for k, v in (("description", description), ("notes", notes)) if v is not None})
    from registry.facts import FIXED

    if fixed := sorted(FIXED & set(metadata)):
        raise InvalidInput(f"--set {fixed[0]}: that is what training found, or is the file's; choose another key")
    if not metadata and not tag and not untag:
        raise InvalidInput("say what to note: --description or --notes TEXT, --set KEY=VALUE, --tag TAG or --untag TAG")
    facts = open_place(home, url, key, "change").annotate(name, metadata, tag or (), untag or (), why)
    if as_json:
        print_json(facts)
        return
    tags = ", ".join(facts.get("tags", ())) or "none"
    say(f"{name} is annotated; tags: {tags}")


def rename(
    name: Name,
    to: Annotated[str, typer.Argument(help="Its name from then on; one that is free.")],
    why: Why = "",
    home: Home = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Call a model otherwise; the selected one is refused. The history keeps the names of then; roll back finds it."""
    facts = open_place(home, url, key, "change").rename(name, to, why)
    if as_json:
        print_json(facts)
    else:
        say(f"{name} is called {facts['name']} now; what was written under the old name stays as it is")


def delete(
    name: Name, why: Why = "", home: Home = None, url: Url = None, key: Key = None, as_json: Json = False
) -> None:
    """Delete a model; the selected one is refused. Its files go with `collect`, after the grace."""
    open_place(home, url, key, "change").delete(name, why)
    if as_json:
        print_json({"deleted": name})
    else:
        say(f"{name} is deleted; the log keeps that it was, and a collection after the grace removes its files")


def _say(selection: Facts, as_json: bool) -> None:
    if as_json:
        print_json(selection)
        return
    say(f"{selection['model']} is selected (selection {selection['sequence']}); workers take it up by themselves")


def _pair(text: str) -> tuple[str, Any]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise InvalidInput(f"--set {text}: write KEY=VALUE")
    try:
        return key.strip(), json.loads(value)
    except ValueError:
        return key.strip(), value
