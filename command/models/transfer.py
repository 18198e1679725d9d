"""`zelador models import` and `export`: transfers models between registries.

An exported file contains no pickle, and is audited like an upload to the API. A pickle from elsewhere can run any code:
its contents are shown first, and it is loaded only with --trust.
"""

from __future__ import annotations

import logging
import os
import tempfile
import zipfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from command.models.target import Facts, Home, Json, Key, Name, Target, Url, Why, open_target
from command.output import output, table
from command.terminal import print_json, say, say_text
from zelador.errors import InvalidInput, NotFound, ZeladorError
from zelador.libgomp import restart_with_libgomp

if TYPE_CHECKING:
    from registry.legacy.look import Found, Look

MAX_ARCHIVE = 1 << 30  # bytes
NAMES_SHOWN = 6  # names of a pickle's contents in the table; --json has all


def import_(
    path: Annotated[Path, typer.Argument(help="An exported file, a pickle of any ending, or a folder of pickles.")],
    trust: Annotated[
        bool, typer.Option("--trust", help="Load pickles, or LightGBM's own format, from someone you trust.")
    ] = False,
    trust_anyway: Annotated[
        list[Path] | None,
        typer.Option(help="Load this pickle although it could not be inspected completely. May be repeated."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="For one file: register it under this name.")] = None,
    features: Annotated[
        str | None,
        typer.Option(help="The column names of pickled models, in the order of training, such as lux,temperature."),
    ] = None,
    classes: Annotated[
        str | None,
        typer.Option(help="The names of a pickled model's classes, in its order, such as normal,fault for 0 and 1."),
    ] = None,
    with_: Annotated[
        list[Path] | None,
        typer.Option("--with", help="For one pickle: its scaler or label encoder in another file. May be repeated."),
    ] = None,
    alone: Annotated[
        bool, typer.Option("--alone", help="Import each pickle alone, and ignore scalers and encoders beside it.")
    ] = False,
    why: Why = "",
    home: Home = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Import models: a file made by `export`, or pickles, with or without a registry.json.

    The calls that a pickle would make are shown without running it. A pickle is loaded only with --trust, has to answer
    rows, and is then stored as skops. A scaler, label encoder or list of column names in the same file, or in the same
    folder, is joined to its model if it is certain how. The inspection helps you decide, but proves nothing. A pickle
    that it could not inspect completely is loaded only with --trust-anyway FILE. Exit code 2 if a model was not
    imported.
    """
    restart_with_libgomp()  # a model may need LightGBM
    logging.basicConfig(level=logging.ERROR)  # hide the warnings of the libraries that a pickle loads
    if not path.exists():
        raise NotFound(f"{path} does not exist")
    if path.is_file() and path.stat().st_size <= MAX_ARCHIVE and zipfile.is_zipfile(path):
        facts = open_target(home, url, key, "make").add(path.read_bytes(), name, why, trust)
        if as_json:
            print_json({"imported": [facts["name"]], "left": {}})
        else:
            if trust:
                say("trusted: a pipeline in the format of a library such as LightGBM is accepted")
            say(f"registered {facts['name']}; the selection did not change")
        return
    from registry.legacy.look import look_at

    if with_ and alone:
        raise InvalidInput("use either --with FILE or --alone")
    looked = look_at(path, with_ or (), alone)
    found = looked.found
    if not found:
        raise InvalidInput(f"{path} has no pickle, and is not an exported model{_passed_over(looked.passed_over)}")
    if len(found) != 1 and (option := "--name" if name is not None else "--with" if with_ else None):
        raise InvalidInput(f"{option} works with one model; {path} has {len(found)}")
    named = {each.resolve() for each in trust_anyway or ()}
    if unknown := named - {each.path.resolve() for model in found for each in model.files}:
        raise InvalidInput(f"--trust-anyway: {min(unknown)} is not one of the files at {path}")
    if not trust and not named:
        _show(looked, as_json)
        raise InvalidInput(
            "nothing was imported: a pickle can run any code. Use --trust if you trust the author of these files"
        )
    trusted = found if trust else [each for each in found if each.path.resolve() in named]
    names = Names(name, _listed(features), _listed(classes))
    _import_all(open_target(home, url, key, "make"), looked, trusted, trust, named, names, why, as_json)


@dataclass(frozen=True, slots=True)
class Names:
    """The names in the options: of the model, its columns and its classes."""

    model: str | None
    features: tuple[str, ...]
    classes: tuple[str, ...]


def _listed(text: str | None) -> tuple[str, ...]:
    return tuple(each.strip() for each in (text or "").split(",") if each.strip())


def export(
    name: Name,
    file: Annotated[Path, typer.Argument(help="The file to write. An existing file is not overwritten.")],
    home: Home = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Write a model to one file for `import`: a zip with manifest, digests, model, golden rows and report."""
    data = open_target(home, url, key).archive(name)
    with tempfile.NamedTemporaryFile(dir=file.absolute().parent, prefix=f".{file.name}.", delete=False) as written:
        try:
            written.write(data)
            written.flush()
            os.fsync(written.fileno())
            os.link(written.name, file)  # all or nothing, and never overwrites
        except FileExistsError:
            raise InvalidInput(f"{file} already exists; choose another file") from None
        finally:
            Path(written.name).unlink()
    if as_json:
        print_json({"name": name, "file": str(file), "bytes": len(data)})
    else:
        say(f"wrote {name} to {file} ({len(data):,} bytes)")


def _show(looked: Look, as_json: bool) -> None:
    from registry.legacy.pickles.contents import A_HELP

    if as_json:
        print_json([_described(each) for each in looked.found])
        return
    rows = []
    for model in looked.found:
        for each in model.files:
            kinds = _few(each.contents.names)
            unusual = _few(each.contents.unusual) if each.contents.unusual else "none"
            name = model.name if each is model else f"  with {each.path.name}"
            trouble = each.trouble or each.contents.trouble or _near(each)
            rows.append((name, each.path.name, each.sha256[:16], kinds, unusual, trouble))
    columns = ("name", "file", "SHA-256", "calls", "unusual calls", "problem")
    output().print(table(columns, rows, whole=("name",)))
    if looked.passed_over:
        say(_passed_over(looked.passed_over).removeprefix("; "))
    say_text(f"\n{A_HELP}")


def _near(found: Found) -> str:
    return f"beside it: {', '.join(each.name for each in found.neighbors)}" if found.neighbors else ""


def _passed_over(files: Mapping[str, str]) -> str:
    """Lists the files of a folder that were not imported, other kinds of models first."""
    listed = sorted(files.items(), key=lambda item: (item[1] == "not a pickle", item[0]))
    shown = [f"{file} ({why})" for file, why in listed[:NAMES_SHOWN]]
    more = f" and {len(listed) - NAMES_SHOWN} more" if len(listed) > NAMES_SHOWN else ""
    return f"; not imported: {', '.join(shown)}{more}" if shown else ""


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMES_SHOWN]) + (
        f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    )


def _described(found: Found) -> Facts:
    return {
        "name": found.name,
        "file": str(found.path),
        "sha256": found.sha256,
        "names": list(found.contents.names),
        "unusual": list(found.contents.unusual),
        "metadata": found.metadata,
        "saved_at": found.saved_at,
        "trouble": found.trouble or found.contents.trouble or _near(found) or None,
        "with": [_described(each) for each in found.beside],
    }


def _import_all(
    target: Target,
    looked: Look,
    trusted: Sequence[Found],
    trust: bool,
    anyway: Collection[Path],
    names: Names,
    why: str,
    as_json: bool,
) -> None:
    """Imports each file. It is loaded in a process with limits; a file that is refused does not stop the others."""
    from registry.legacy.load import converted

    imported: list[Facts] = []
    left: dict[str, str] = {}
    for each in trusted:
        model_name = names.model or each.name
        try:
            archive = converted(
                each, trust=trust, anyway=anyway, name=model_name, features=names.features, classes=names.classes
            )
            imported.append(target.add(archive, model_name, why or f"from {each.path.name}", trust=True))
        except ZeladorError as error:
            left[model_name] = " ".join(str(error).split())
    registered = [facts["name"] for facts in imported]
    notes = {facts["name"]: list((facts.get("imported") or {}).get("notes") or ()) for facts in imported}
    if as_json:
        passed = dict(looked.passed_over)
        print_json({"imported": registered, "left": left, "notes": notes, "passed_over": passed})
    else:
        if imported:
            say(f"registered {', '.join(registered)}; the selection did not change")
        for registered_name, found in notes.items():
            for note in found:
                say(f"{registered_name}: {note}")
        if looked.passed_over:
            say(_passed_over(looked.passed_over).removeprefix("; "))
    if left:
        raise InvalidInput(
            "not imported: " + "; ".join(f"{model_name}: {reason}" for model_name, reason in left.items())
        )
