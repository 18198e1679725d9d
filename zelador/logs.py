"""Structured logs on standard error: text for a terminal, JSON for machines."""

from __future__ import annotations

import io
import logging
import sys
from typing import IO

import structlog

from zelador.printable import clean
from zelador.settings import LogSettings

MANY_LINES = ("exception", "stack")  # tracebacks


def set_up_logs(settings: LogSettings, service: str, into: IO[bytes] | None = None) -> None:
    """Sends all log lines, also of libraries, to standard error (or `into`) in one format, with the service's name."""
    stream = sys.stderr if into is None else io.TextIOWrapper(into, encoding="utf-8", write_through=True)
    console = settings.format == "console" or (settings.format == "auto" and stream.isatty())
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    cleaning: list[structlog.typing.Processor] = [_clean] if console else []  # JSON escapes these characters itself
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=stream.isatty(), pad_event_to=0)
        if console
        else structlog.processors.JSONRenderer()
    )

    def name_service(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        return {"service": service, **event}

    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                name_service,
                *cleaning,
                renderer,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level.upper())
    logging.getLogger("paho").setLevel(logging.WARNING)


def _clean(_logger: object, _method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Escapes a message, so that a topic or payload in it cannot control the terminal or start a new line."""
    return {
        name: clean(value, "\n\t" if name in MANY_LINES else "") if isinstance(value, str) else value
        for name, value in event.items()
    }
