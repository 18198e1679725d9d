"""`zelador models import` and `export`: transfer models between registries.

An exported file contains no pickle, and is audited like an upload to the API. A pickle from elsewhere can run any code:
its contents are shown first, and it is loaded only with --trust.
"""

from __future__ import annotations

import logging
import os
import re
import tempfile
import zipfile
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from command.models.target import Facts, Home, Json, Key, Name, Target, Url, Why, open_target
from command.output import output, table
from command.terminal import print_json, say, say_text
from zelador.errors import InvalidInput, NotFound, ZeladorError
from zelador.libgomp import restart_with_libgomp

if TYPE_CHECKING:
    from registry.legacy.files import Found

GENERATED_NAME = re.compile(r"x\d+")  # of a column, if the model has no column names
MAX_ARCHIVE = 1 << 30  # bytes
NAMES_SHOWN = 6  # of a pickle's contents in the table; --json has all


def import_(
    path: Annotated[Path, typer.Argument(help="An exported file, a .pkl or .joblib file, or a folder of pickles.")],
    trust: Annotated[
        bool, typer.Option("--trust", help="Load pickles, or LightGBM's own format, from someone you trust.")
    ] = False,
    trust_anyway: Annotated[
        list[Path] | None,
        typer.Option(help="Load this pickle although it could not be inspected completely. May be repeated."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="For one file: register it under this name.")] = None,
    features: Annotated[
        str | None, typer.Option(help="The column names of pickled models, in order, such as lux,temperature.")
    ] = None,
    why: Why = "",
    home: Home = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Import models: a file made by `export`, or pickles, with or without a registry.json.

    The calls that a pickle would make are shown without running it. A pickle is loaded only with --trust, and is then
    stored as skops. The inspection helps you decide, but proves nothing. A pickle that it could not inspect completely
    is loaded only with --trust-anyway FILE. Exit code 2 if a model was not imported.
    """
    restart_with_libgomp()  # a model may be LightGBM's
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
    from registry.legacy.files import look

    found = look(path)
    if not found:
        raise InvalidInput(f"{path} has no .pkl, .pickle or .joblib file, and is not an exported model")
    if name is not None and len(found) != 1:
        raise InvalidInput(f"--name works with one file; {path} has {len(found)}")
    named = {each.resolve() for each in trust_anyway or ()}
    if unknown := named - {each.path.resolve() for each in found}:
        raise InvalidInput(f"--trust-anyway: {min(unknown)} is not one of the files at {path}")
    if not trust and not named:
        _show(found, as_json)
        raise InvalidInput(
            "nothing was imported: a pickle can run any code. Use --trust if you trust the author of these files"
        )
    columns = tuple(each.strip() for each in (features or "").split(",") if each.strip())
    trusted = found if trust else [each for each in found if each.path.resolve() in named]
    _import_all(open_target(home, url, key, "make"), trusted, named, name, columns, why, as_json)


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


def _show(found: Sequence[Found], as_json: bool) -> None:
    from registry.legacy.pickles.contents import A_HELP

    if as_json:
        print_json([_described(each) for each in found])
        return
    rows = []
    for each in found:
        kinds = _few(each.contents.names)
        unusual = _few(each.contents.unusual) if each.contents.unusual else "none"
        trouble = each.trouble or each.contents.trouble or ""
        rows.append((each.name, each.path.name, each.sha256[:16], kinds, unusual, trouble))
    columns = ("name", "file", "SHA-256", "calls", "unusual calls", "problem")
    output().print(table(columns, rows, whole=("name",)))
    say_text(f"\n{A_HELP}")


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
        "trouble": found.trouble or found.contents.trouble,
    }


def _import_all(
    target: Target,
    found: Sequence[Found],
    anyway: Collection[Path],
    name: str | None,
    features: Sequence[str],
    why: str,
    as_json: bool,
) -> None:
    """Imports each file, loaded in a process with limits. A refused file does not stop the others."""
    from registry.legacy.files import converted

    imported: list[Facts] = []
    left: dict[str, str] = {}
    for each in found:
        model_name = name or each.name
        try:
            archive = converted(each, trust=True, anyway=each.path.resolve() in anyway, name=name, features=features)
            imported.append(target.add(archive, model_name, why or f"from {each.path.name}", trust=True))
        except ZeladorError as error:
            left[model_name] = " ".join(str(error).split())
    names = [facts["name"] for facts in imported]
    if as_json:
        print_json({"imported": names, "left": left})
    elif imported:
        say(f"registered {', '.join(names)}; the selection did not change")
        if unnamed := [facts["name"] for facts in imported if all(map(GENERATED_NAME.fullmatch, facts["features"]))]:
            say(
                f"{', '.join(unnamed)}: the model has no column names, so workers cannot use it; "
                "delete it, and import it with --features lux,temperature,…"
            )
    if left:
        raise InvalidInput(
            "not imported: " + "; ".join(f"{model_name}: {reason}" for model_name, reason in left.items())
        )
