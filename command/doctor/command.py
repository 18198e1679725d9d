"""`zelador doctor`: reports what would lose data, when, and the exact fix."""

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
from zelador.settings.paths import absolute

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
        Path | None, typer.Option(help="Check this home of `zelador up` instead of the servers in the settings.")
    ] = None,
    mosquitto_conf: Annotated[
        Path | None,
        typer.Option(help="The broker's configuration file. MQTT cannot report the queue limit or persistence."),
    ] = None,
    probe: Annotated[
        bool,
        typer.Option(
            help="Test the queue with 1,100 small messages on a private topic, and publish two harmless ones."
        ),
    ] = True,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Report what would lose data, when, and how to fix it.

    Checks the broker, Redis, clocks, disks, topics, the registry and the selected model. Exit code 1 if anything is
    broken.
    """
    from command.doctor.examine import examine
    from command.doctor.home import read_home
    from zelador.libgomp import restart_with_libgomp

    settings = load_settings()
    home_facts = read_home(home, settings) if home is not None else None
    restart_with_libgomp()  # the selected model may need LightGBM
    logging.basicConfig(level=logging.CRITICAL)  # the findings report all trouble
    from command.doctor.audit import finding
    from command.doctor.registry import check

    checked = absolute(home_facts.settings if home_facts else settings)

    def check_files(registry: RegistrySettings, last: Seen | None) -> tuple[list[Finding], Chosen | None]:
        findings, chosen = check(registry, last, checked.features, checked.alarm)
        return [*findings, *finding(checked.api)], chosen

    report = examine(checked, check_files, home_facts, mosquitto_conf, probe)
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
    """Returns a line for each finding, and for one that is not fine also what is lost and the fix."""
    mark, color = MARKS[found.state]
    head = f"{found.state:<7}" if plain else f"{mark} "
    texts = [Text.assemble((head, color), (f"{found.check:<{CHECK_WIDTH}}", "bold"), clean(found.what))]
    indent = " " * (len(head) + CHECK_WIDTH)
    if found.lost:
        texts.append(Text(f"{indent}lost: {clean(found.lost)}"))
    if found.fix:
        texts.append(Text(f"{indent}fix: {clean(found.fix)}"))
    return texts


def summary(report: Report) -> str:
    counts = Counter(found.state for found in report.findings)
    states = ", ".join(f"{counts[state]} {state}" for state in ("broken", "risky", "fine") if counts[state])
    if report.outage_s is None or report.rate is None:
        return states
    at_least = "at least " if report.queue and report.queue.at_least else ""
    return (
        f"{states}; the broker's queue covers {at_least}{report.outage_s:,.0f} s of outage at the current "
        f"{report.rate:,.3g} readings/s"
    )
