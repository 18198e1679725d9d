"""`zelador models import` and `export`: models from elsewhere, and to there.

An exported file is audited like everything that comes over the API; nothing in it is a pickle. An old pickle can run
anything that its writer liked: it is shown first, and loaded only with --trust.
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

from command.models.target import Facts, Home, Json, Key, Name, Place, Url, Why, open_place
from command.output import output, table
from command.terminal import print_json, say, say_text
from zelador.errors import InvalidInput, NotFound, ZeladorError
from zelador.libgomp import restart_with_libgomp

if TYPE_CHECKING:
    from registry.legacy.files import Found

DRAWN_NAME = re.compile(r"x\d+")  # of a column whose model knows no name
MAX_ARCHIVE = 1 << 30  # bytes
SHOWN = 6  # names of a pickle's contents in the table; --json has them all


def import_(
    path: Annotated[Path, typer.Argument(help="An exported file, a .pkl or .joblib file, or a folder of those.")],
    trust: Annotated[
        bool, typer.Option("--trust", help="Load pickles, or LightGBM's own format: I know who made it.")
    ] = False,
    trust_anyway: Annotated[
        list[Path] | None,
        typer.Option(help="Load this file although the look could not follow it to its end; again for more of them."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="For one file: another name than its own.")] = None,
    features: Annotated[
        str | None, typer.Option(help="Names for the columns of pickles, in their order, such as lux,temperature.")
    ] = None,
    why: Why = "",
    home: Home = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Bring models in: a file of `export`, or old pickles, with or without the seed's registry.json.

    What a pickle would call is shown without running it, and it is loaded only with --trust; it is then kept as skops.
    That look is a help, not a proof. What it cannot follow to the end is loaded only with --trust-anyway FILE.
    Exit code 2 when something was not brought in.
    """
    restart_with_libgomp()  # a model may be LightGBM's
    logging.basicConfig(level=logging.ERROR)  # what a pickle's libraries say of themselves is no news here
    if not path.exists():
        raise NotFound(f"there is nothing at {path}")
    if path.is_file() and path.stat().st_size <= MAX_ARCHIVE and zipfile.is_zipfile(path):
        facts = open_place(home, url, key, "make").add(path.read_bytes(), name, why, trust)
        if as_json:
            print_json({"imported": [facts["name"]], "left": {}})
        else:
            if trust:
                say("taken on trust: a pipeline in the format of a library such as LightGBM is accepted")
            say(f"{facts['name']} is registered; nothing is selected by that")
        return
    from registry.legacy.files import look

    found = look(path)
    if not found:
        raise InvalidInput(f"{path} has no .pkl, .pickle or .joblib file, and is no exported model")
    if name is not None and len(found) != 1:
        raise InvalidInput(f"--name is for one file; {path} has {len(found)}")
    named = {each.resolve() for each in trust_anyway or ()}
    if unknown := named - {each.path.resolve() for each in found}:
        raise InvalidInput(f"--trust-anyway names {min(unknown)}, which is not among the files at {path}")
    if not trust and not named:
        _show(found, as_json)
        raise InvalidInput(
            "nothing was imported: a pickle runs what its writer put in. Say --trust if you know who wrote these"
        )
    columns = tuple(each.strip() for each in (features or "").split(",") if each.strip())
    trusted = found if trust else [each for each in found if each.path.resolve() in named]
    _bring(open_place(home, url, key, "make"), trusted, named, name, columns, why, as_json)


def export(
    name: Name,
    file: Annotated[Path, typer.Argument(help="Where to; a file that is there is not overwritten.")],
    home: Home = None,
    url: Url = None,
    key: Key = None,
    as_json: Json = False,
) -> None:
    """Write a model as one file (a zip: manifest with digests, model, golden rows, report) that `import` takes."""
    data = open_place(home, url, key).archive(name)
    with tempfile.NamedTemporaryFile(dir=file.absolute().parent, prefix=f".{file.name}.", delete=False) as written:
        try:
            written.write(data)
            written.flush()
            os.fsync(written.fileno())
            os.link(written.name, file)  # whole or not at all, and never over another
        except FileExistsError:
            raise InvalidInput(f"{file} is there already; name another file") from None
        finally:
            Path(written.name).unlink()
    if as_json:
        print_json({"name": name, "file": str(file), "bytes": len(data)})
    else:
        say(f"{name} is in {file} ({len(data):,} bytes)")


def _show(found: Sequence[Found], as_json: bool) -> None:
    from registry.legacy.pickles.contents import A_HELP

    if as_json:
        print_json([_described(each) for each in found])
        return
    rows = []
    for each in found:
        kinds = _few(each.contents.names)
        unusual = _few(each.contents.unusual) if each.contents.unusual else "nothing"
        trouble = each.trouble or each.contents.trouble or ""
        rows.append((each.name, each.path.name, each.sha256[:16], kinds, unusual, trouble))
    columns = ("name", "file", "SHA-256", "it would call", "of that unusual", "trouble")
    output().print(table(columns, rows, whole=("name",)))
    say_text(f"\n{A_HELP}")


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


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


def _bring(
    place: Place,
    found: Sequence[Found],
    anyway: Collection[Path],
    name: str | None,
    features: Sequence[str],
    why: str,
    as_json: bool,
) -> None:
    """Each in its turn, loaded in a process with limits: what is refused keeps none of the others out."""
    from registry.legacy.files import converted

    imported: list[Facts] = []
    left: dict[str, str] = {}
    for each in found:
        called = name or each.name
        try:
            archive = converted(each, trust=True, anyway=each.path.resolve() in anyway, name=name, features=features)
            imported.append(place.add(archive, called, why or f"from {each.path.name}", trust=True))
        except ZeladorError as error:
            left[called] = " ".join(str(error).split())
    names = [facts["name"] for facts in imported]
    if as_json:
        print_json({"imported": names, "left": left})
    elif imported:
        say(f"registered: {', '.join(names)}; nothing is selected by that")
        if unnamed := [facts["name"] for facts in imported if all(map(DRAWN_NAME.fullmatch, facts["features"]))]:
            say(
                f"{', '.join(unnamed)}: made without names for its columns, so no worker can give it readings; "
                "delete it, and import it with --features lux,temperature,…"
            )
    if left:
        raise InvalidInput("not imported: " + "; ".join(f"{called}: {reason}" for called, reason in left.items()))
