"""`zelador simulate`: replay a CSV file as devices."""

from __future__ import annotations

import itertools
import secrets
import time
from pathlib import Path
from typing import Annotated

import typer

from command.home import OfHome
from command.process import prepare_command
from command.terminal import print_json, say


def simulate(
    csv: Annotated[Path, typer.Option(help="The CSV file to replay.")],
    features: Annotated[
        str | None, typer.Option(help="The feature columns, separated by commas. Default: ZELADOR_FEATURES.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="The column to send as the label. Default: no label.")] = None,
    rate: Annotated[float, typer.Option(min=0.1, help="Readings per second.")] = 10.0,
    devices: Annotated[
        int, typer.Option(min=1, max=10_000, help="The number of devices to distribute the rows over.")
    ] = 5,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after this many readings.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0, help="Stop after this many seconds.")] = None,
    loop: Annotated[bool, typer.Option(help="Start over at the end of the file.")] = False,
    home: OfHome = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
) -> None:
    """Replay a CSV file as devices: publish its rows at QoS 1 to the broker in the settings (ZELADOR_MQTT__URL)."""
    settings, stop = prepare_command("simulate", home, "running")
    from command.demo.devices import Devices
    from command.demo.scenarios import Sample, read_table

    columns = [part.strip() for part in features.split(",")] if features else list(settings.features)
    if features:
        settings = settings.model_copy(update={"features": tuple(columns), "fields": {}})
    names = [f"device-{i}" for i in range(1, devices + 1)]
    rows = read_table(csv, columns, label, names)
    run = secrets.token_hex(4)
    source = itertools.cycle(rows) if loop else iter(rows)
    publisher = Devices(settings, stop, f"zelador-simulate-{run}")
    started = time.monotonic()

    def message(number: int, sample: Sample) -> object:
        return publisher.message(sample, f"{run}-{number}", with_label=label is not None)

    def is_over() -> bool:
        return seconds is not None and time.monotonic() - started >= seconds

    messages = (message(i, s) for i, s in enumerate(itertools.islice(source, count)))
    try:
        published = publisher.publish(messages, rate, until=is_over)  # type: ignore[arg-type]
        publisher.finish(30.0)
    finally:
        publisher.close()
    elapsed_s = time.monotonic() - started
    if as_json:
        print_json({"published": published, "acknowledged": publisher.acknowledged, "seconds": round(elapsed_s, 2)})
    else:
        say(f"published {published} readings in {elapsed_s:.1f} s, {publisher.acknowledged} acknowledged by the broker")
