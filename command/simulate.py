"""`zelador simulate`: replays a table as devices."""

from __future__ import annotations

import itertools
import secrets
from pathlib import Path
from time import monotonic
from typing import Annotated

import typer

from command.home import OfHome
from command.process import prepare
from command.terminal import print_json, say
from zelador.printable import counted


def simulate(
    csv: Annotated[Path, typer.Option(help="The table to replay: CSV in any dialect, JSON lines, Parquet or Arrow.")],
    features: Annotated[
        str | None, typer.Option(help="The feature columns, separated by commas. Default: ZELADOR_FEATURES.")
    ] = None,
    label: Annotated[str | None, typer.Option(help="The column to send as the label. Default: no label.")] = None,
    rate: Annotated[float, typer.Option(min=0.1, help="Readings per second.")] = 10.0,
    devices: Annotated[
        int, typer.Option(min=1, max=10_000, help="The number of devices to distribute the rows over.")
    ] = 5,
    device: Annotated[
        str | None, typer.Option(help="The column that names the device. Default: the rows are distributed.")
    ] = None,
    time: Annotated[
        str | None, typer.Option(help="The column to send as the time of measurement. Default: no time is sent.")
    ] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after this many readings.")] = None,
    seconds: Annotated[float | None, typer.Option(min=0, help="Stop after this many seconds.")] = None,
    loop: Annotated[bool, typer.Option(help="Start over at the end of the file.")] = False,
    home: OfHome = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object at the end.")] = False,
) -> None:
    """Replay a table as devices: publish its rows at QoS 1 to the broker in the settings (ZELADOR_MQTT__URL).

    Rows that lack a value or that would be refused live are left out.
    """
    settings, stop = prepare("simulate", for_a_person=True, home=home)
    from command.demo.devices import Devices
    from command.demo.scenarios import Sample, samples_of
    from zelador.table import Wanted

    table_settings = settings
    columns = [part.strip() for part in features.split(",")] if features else list(settings.features)
    if features:
        settings = settings.model_copy(update={"features": tuple(columns), "fields": {}})
    names = [f"device-{i}" for i in range(1, devices + 1)]
    wanted = Wanted(tuple(columns), label, device=device, time=time)
    rows = samples_of(csv, table_settings, wanted, names, lambda note: say(f"note: {note}", error=True))
    run = secrets.token_hex(4)
    source = itertools.cycle(rows) if loop else iter(rows)
    publisher = Devices(settings, stop, f"zelador-simulate-{run}")
    started = monotonic()

    def message(number: int, sample: Sample) -> object:
        return publisher.message(sample, f"{run}-{number}", with_label=label is not None)

    def is_over() -> bool:
        return seconds is not None and monotonic() - started >= seconds

    messages = (message(i, s) for i, s in enumerate(itertools.islice(source, count)))
    try:
        published = publisher.publish(messages, rate, until=is_over)  # type: ignore[arg-type]
        publisher.finish(30.0)
    finally:
        publisher.close()
    elapsed_s = monotonic() - started
    if as_json:
        print_json({"published": published, "acknowledged": publisher.acknowledged, "seconds": round(elapsed_s, 2)})
    else:
        done = f"published {counted(published, 'reading')} in {elapsed_s:.1f} s"
        say(f"{done}, {publisher.acknowledged} acknowledged by the broker")
