"""`zelador data`: look at the readings before training on them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from command.archive import verified
from command.home import OfHome, settings_of
from command.output import output, table, when
from command.terminal import print_json, say
from zelador.printable import clean

if TYPE_CHECKING:
    from archive.dataset.description import Description

app = typer.Typer(no_args_is_help=True)
ROWS_SHOWN = 10


@app.callback()
def data() -> None:
    """Look at the readings before training on them."""


@app.command()
def describe(
    home: Annotated[
        Path | None,
        typer.Option(help="Use the Redis of this running home of `zelador up` instead of the one in the settings."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Describe the readings in the buffer, and point out what is odd about them."""
    import msgspec

    from archive.dataset.describe import describe as described
    from archive.dataset.load import from_buffer
    from zelador.buffer import connect_redis
    from zelador.ranges import Ranges

    settings = settings_of(home, "running")
    with connect_redis(settings.redis) as client:
        columns = from_buffer(client, settings)
    found = described(columns, Ranges.of(settings, settings.features))
    if as_json:
        print_json(msgspec.to_builtins(found))
    else:
        show(found)


@app.command()
def verify(
    home: OfHome = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check every file of the archive, as `zelador archive verify` does."""
    verified(home, as_json)


def show(found: Description) -> None:
    if not found.rows:
        say("there are no readings in the buffer")
        return
    every = "" if found.interval_s is None else f", one every {found.interval_s:g} s"
    say(f"{found.rows} readings of {found.devices} devices, {when(found.begin)} to {when(found.end)}{every}")
    classes = ", ".join(f"{label} {count}" for label, count in found.classes.items())
    say(f"labels: {classes or 'none'}; {found.unlabeled} readings have none")
    if found.gap_count:
        longest = found.gaps[0]
        say(f"{found.gap_count} gaps; the longest: {longest.device}, {longest.seconds:g} s from {when(longest.begin)}")
    rows = [
        (
            each.name, _number(each.lowest), _number(each.median), _number(each.highest), str(each.missing),
            str(each.out_of_range), _number(each.autocorrelation), str(each.block_rows),
        )
        for each in found.features
    ]  # fmt: skip
    heads = ("feature", ">lowest", ">median", ">highest", ">missing", ">outside", ">autocorrelation", ">block")
    output().print(table(heads, rows, whole=("feature",)))
    if len(found.by_device) > 1 and found.classes:
        labels = list(found.classes)[:ROWS_SHOWN]
        lines = [
            (clean(name), *(str(counts.get(label, 0)) for label in labels))
            for name, counts in list(found.by_device.items())[:ROWS_SHOWN]
        ]
        output().print(table(("device", *(f">{label}" for label in labels)), lines, whole=("device",)))
    for each in found.correlations[:3]:
        say(f"correlation of {each.one} and {each.other}: {each.r:+.2f}")
    if not found.findings:
        say("nothing odd was found")
    for finding in found.findings:
        say(f"{finding.kind}: {clean(finding.sentence)}; {clean(finding.advice)}")


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
