"""`zelador doctor`: what would lose data, when, and the exact mend."""

from __future__ import annotations

import logging
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from command.output import output
from command.terminal import print_json
from zelador.printable import clean
from zelador.settings import load_settings

if TYPE_CHECKING:
    from command.doctor.examine import Report
    from command.doctor.finding import Finding
    from command.doctor.processes import Chosen
    from registry.restored.last_seen import Seen
    from zelador.settings import RegistrySettings

MARKS = {"fine": ("✓", "green"), "risky": ("!", "yellow"), "broken": ("✗", "red")}
CHECK_WIDTH = 24


def doctor(
    home: Annotated[
        Path | None, typer.Option(help="A home of zelador up; without it, the servers of the settings.")
    ] = None,
    mosquitto_conf: Annotated[
        Path | None, typer.Option(help="The broker's configuration: its queue and persistence cannot be asked.")
    ] = None,
    probe: Annotated[
        bool,
        typer.Option(help="Publish: 1,100 small messages on a private topic, to try the queue, and two harmless ones."),
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Say what would lose data, when, and how to mend it: broker, Redis, clocks, disks, topics, registry, selection.

    Exit code 1 when something is broken.
    """
    from command.doctor.examine import examine
    from command.doctor.home import see
    from zelador.libgomp import restart_with_libgomp

    settings = load_settings()
    seen = see(home, settings) if home is not None else None
    restart_with_libgomp()  # the selected model may be LightGBM's
    logging.basicConfig(level=logging.CRITICAL)  # a finding says it, once
    from command.doctor.audit import finding
    from command.doctor.registry import check

    looked_at = seen.settings if seen else settings

    def check_files(registry: RegistrySettings, last: Seen | None) -> tuple[list[Finding], Chosen | None]:
        findings, chosen = check(registry, last)
        return [*findings, *finding(looked_at.api)], chosen

    report = examine(looked_at, check_files, seen, mosquitto_conf, probe)
    if as_json:
        print_json(report.flat())
    else:
        show(report)
    if any(found.state == "broken" for found in report.findings):
        raise typer.Exit(1)


def show(report: Report) -> None:
    console = output()
    plain = not console.is_terminal
    for found in report.findings:
        for line in lines(found, plain):
            console.print(line, soft_wrap=plain)
    console.print(Text(summary(report)), soft_wrap=plain)


def lines(found: Finding, plain: bool) -> list[Text]:
    """One line; beneath what is not fine, what is lost and the mend."""
    mark, colour = MARKS[found.state]
    head = f"{found.state:<7}" if plain else f"{mark} "
    said = [Text.assemble((head, colour), (f"{found.check:<{CHECK_WIDTH}}", "bold"), clean(found.what))]
    indent = " " * (len(head) + CHECK_WIDTH)
    if found.lost:
        said.append(Text(f"{indent}lost: {clean(found.lost)}"))
    if found.mend:
        said.append(Text(f"{indent}mend: {clean(found.mend)}"))
    return said


def summary(report: Report) -> str:
    counts = Counter(found.state for found in report.findings)
    said = ", ".join(f"{counts[state]} {state}" for state in ("broken", "risky", "fine") if counts[state])
    if report.outage_s is None or report.rate is None:
        return said
    at_least = "at least " if report.queue and report.queue.at_least else ""
    return (
        f"{said}; the broker's queue covers {at_least}{report.outage_s:,.0f} s of outage at the present "
        f"{report.rate:,.3g} readings/s"
    )
