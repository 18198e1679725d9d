"""Client ids that devices may not use, because a broker gives a session and its queue to any client with its id."""

from __future__ import annotations

from zelador.settings import Settings

SERVICES = ("zelador-ingest", "zelador-inference", "zelador-trainer", "zelador-api", "zelador-probe")
# Commands for people. Each run has an id of its own.
COMMANDS = ("zelador-watch-", "zelador-simulate-", "zelador-demo-", "zelador-doctor-")
SEPARATORS = "-_.:/#@ "


class ReservedIds:
    """The ids of the services: the configured ones and the defaults, each alone or with a suffix."""

    def __init__(self, settings: Settings) -> None:
        self._configured = (settings.ingest.client_id, f"zelador-{settings.inference.instance}")

    def __contains__(self, client_id: object) -> bool:
        if not isinstance(client_id, str) or client_id in self._configured:
            return True
        if client_id.startswith(COMMANDS):
            return False
        return client_id.startswith(SERVICES) or any(
            client_id.startswith(own) and client_id[len(own)] in SEPARATORS for own in self._configured
        )
