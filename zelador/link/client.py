"""The paho client of one connection, made from the settings, on a socket of ours."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt import __version__ as paho_version
from paho.mqtt.enums import CallbackAPIVersion

from zelador.link.buffered import BufferedSocket
from zelador.link.lane import LaneSocket
from zelador.settings import MqttSettings

log = logging.getLogger(__name__)


class Client(mqtt.Client):
    """paho on a socket of ours. `_create_socket` is the one private name that we lean on (2.0 to 2.2 have it)."""

    ours: type[BufferedSocket] = BufferedSocket

    def _create_socket(self) -> Any:
        return self.ours(super()._create_socket())  # type: ignore[arg-type, no-untyped-call, unused-ignore]


def make_client(settings: MqttSettings, client_id: str) -> Client:
    """With credentials and TLS; no callbacks yet."""
    client = Client(
        CallbackAPIVersion.VERSION2,
        client_id=client_id,
        protocol=mqtt.MQTTv5,
        manual_ack=True,
        reconnect_on_failure=False,
    )
    client.ours = LaneSocket if settings.lane else BufferedSocket
    give_credentials(client, settings)
    client.connect_timeout = settings.connect_timeout_s
    client.max_inflight_messages_set(0)  # paho's own window walks every message on each PUBACK
    client.on_socket_register_write = _queue_only
    return client


def give_credentials(client: mqtt.Client, settings: MqttSettings) -> None:
    """User and password, from the settings or the URL; TLS where the URL asks for it."""
    url = urlsplit(settings.url)
    username = settings.username or (unquote(url.username) if url.username else None)
    password = settings.password or (unquote(url.password) if url.password else None)
    if username is not None:
        client.username_pw_set(username, password)
    if url.scheme == "mqtts":
        client.tls_set(
            ca_certs=_text(settings.ca_file),
            certfile=_text(settings.certificate_file),
            keyfile=_text(settings.key_file),
        )


def socket_of(client: mqtt.Client, lane: bool) -> tuple[BufferedSocket | None, LaneSocket | None]:
    """The start-up check: the client's socket as ours, once as buffered and once as lane; None where it is not.

    A paho that makes its socket in another way goes on alone: slower, never wrong.
    """
    sock = client.socket()
    if not isinstance(sock, BufferedSocket):
        log.warning("paho %s does not take our socket: going on without buffer and lane, slower", paho_version)
        return None, None
    if lane and not isinstance(sock, LaneSocket):
        log.warning("the fast lane is not in paho %s's socket: going on without it, slower", paho_version)
    return sock, sock if isinstance(sock, LaneSocket) else None


def _queue_only(_client: Any, _data: Any, _sock: Any) -> None:
    """Registered so that publish and ack only queue; a turn writes them together."""


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
