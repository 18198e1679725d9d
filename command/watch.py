"""`zelador watch`: shows predictions as they arrive."""

from __future__ import annotations

import secrets
import time
from typing import Annotated

import msgspec
import typer

from command.home import OfHome
from command.process import prepare
from command.silence import Report, look, reason
from command.terminal import print_json_text, say
from zelador.messages import Prediction
from zelador.settings import Settings
from zelador.undecodable import UNDECODABLE

FIRST_SILENCE_S = 5.0  # without a prediction; then the command says why
NEXT_SILENCE_S = 60.0


class Silence:
    """Explains on standard error why nothing arrives, after FIRST_SILENCE_S, then every NEXT_SILENCE_S."""

    def __init__(self, settings: Settings, device: str | None) -> None:
        self._settings, self._device = settings, device
        self._before: Report = look(settings)
        self._due = time.monotonic() + FIRST_SILENCE_S

    def broken(self) -> None:
        """Notes that a prediction arrived."""
        self._due = time.monotonic() + NEXT_SILENCE_S

    def step(self) -> None:
        if time.monotonic() < self._due:
            return
        now = look(self._settings)
        say(f"zelador: no prediction yet: {reason(self._before, now, self._settings, self._device)}", error=True)
        self._before, self._due = now, time.monotonic() + NEXT_SILENCE_S


def watch(
    device: Annotated[str | None, typer.Option(help="Show only this device. Default: all devices.")] = None,
    count: Annotated[int | None, typer.Option(min=1, help="Stop after this many predictions.")] = None,
    home: OfHome = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one prediction per line, as published.")] = False,
) -> None:
    """Show predictions as they arrive from the broker in the settings (ZELADOR_MQTT__URL), until Ctrl-C.

    If none arrives, it says why on standard error.
    """
    settings, stop = prepare("watch", for_a_person=True, home=home)
    from zelador.link import Link, LinkOptions

    topic = settings.topics.prediction.replace("{device_id}", device or "+")
    link = Link(settings.mqtt, LinkOptions(f"zelador-watch-{secrets.token_hex(4)}", (topic,)), stop)
    link.open(settings.mqtt.start_patience_s)
    silence = Silence(settings, device)
    shown = 0
    decode = msgspec.json.Decoder(Prediction | list[Prediction]).decode
    try:
        while not stop.is_set():
            batch = link.receive(500, 0.5)
            for message in batch:
                try:
                    answer = decode(message.payload)
                except UNDECODABLE as error:
                    say(f"zelador: not a prediction on {message.topic}: {error}", error=True)
                    continue
                for prediction in answer if isinstance(answer, list) else [answer]:
                    if as_json:
                        print_json_text(msgspec.json.encode(prediction).decode())
                    else:
                        say(_line(prediction))
                    shown += 1
                    silence.broken()
                    if count is not None and shown >= count:
                        link.ack(batch)
                        return
            link.ack(batch)
            silence.step()
    finally:
        link.close()


def _line(prediction: Prediction) -> str:
    confidence = "    –" if prediction.confidence is None else f"{prediction.confidence:.3f}"
    return f"{prediction.ts}  {prediction.device_id:<20} {prediction.label:<12} {confidence}  {prediction.model}"
