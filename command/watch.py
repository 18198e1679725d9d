"""`zelador watch`: show predictions as they arrive."""

from __future__ import annotations

import secrets
from typing import Annotated

import msgspec
import typer

from command.process import prepare
from command.terminal import print_json_text, say
from zelador.messages import Prediction


def watch(
    device: Annotated[str, typer.Option(help="Show only this device. Default: all devices.")] = "+",
    count: Annotated[int | None, typer.Option(min=1, help="Stop after this many predictions.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one prediction per line, as published.")] = False,
) -> None:
    """Show predictions as they arrive from the broker in the settings (ZELADOR_MQTT__URL), until Ctrl-C."""
    settings, stop = prepare("watch")
    from zelador.link import Link, LinkOptions

    topic = settings.topics.prediction.replace("{device_id}", device)
    link = Link(settings.mqtt, LinkOptions(f"zelador-watch-{secrets.token_hex(4)}", (topic,)), stop)
    link.open(settings.mqtt.start_patience_s)
    shown = 0
    decode = msgspec.json.Decoder(Prediction | list[Prediction]).decode
    try:
        while not stop.is_set():
            batch = link.receive(500, 0.5)
            for message in batch:
                try:
                    answer = decode(message.payload)
                except (msgspec.DecodeError, RecursionError) as error:
                    say(f"zelador: not a prediction on {message.topic}: {error}", error=True)
                    continue
                for prediction in answer if isinstance(answer, list) else [answer]:
                    if as_json:
                        print_json_text(msgspec.json.encode(prediction).decode())
                    else:
                        say(_line(prediction))
                    shown += 1
                    if count is not None and shown >= count:
                        link.ack(batch)
                        return
            link.ack(batch)
    finally:
        link.close()


def _line(prediction: Prediction) -> str:
    confidence = "    –" if prediction.confidence is None else f"{prediction.confidence:.3f}"
    return f"{prediction.ts}  {prediction.device_id:<20} {prediction.label:<12} {confidence}  {prediction.model}"
