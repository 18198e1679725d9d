"""Makes the paho client of one connection, from the settings, on a buffered socket."""

from __future__ import annotations

import logging
import ssl
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import paho.mqtt.client as mqtt
from paho.mqtt import MQTTException
from paho.mqtt import __version__ as paho_version
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

from zelador.errors import Unavailable
from zelador.link.buffered import BufferedSocket
from zelador.link.lane import LaneSocket
from zelador.link.packets import length_bytes
from zelador.settings import MqttSettings
from zelador.tls import unreadable

log = logging.getLogger(__name__)


class Client(mqtt.Client):
    """paho on a buffered socket. Three private names are used: `_create_socket`, `_handle_publish`, `_in_packet`.

    They exist in 2.0 to 2.2.
    """

    ours: type[BufferedSocket] = BufferedSocket
    on_unreadable: Callable[[bytes], None] | None = None  # gets a PUBLISH, whole, that paho refuses to read

    def _create_socket(self) -> Any:
        return self.ours(super()._create_socket())  # type: ignore[arg-type, no-untyped-call, unused-ignore]

    def _handle_publish(self) -> MQTTErrorCode:
        """paho refuses properties that MQTT allows, such as U+FEFF in a text.

        The broker would send such a message again on each new connection, and nothing behind it would arrive.
        """
        try:
            return super()._handle_publish()
        except (MQTTException, ValueError, LookupError, struct.error):
            if self.on_unreadable is None:
                raise
            body = bytes(self._in_packet["packet"])
            self.on_unreadable(bytes([self._in_packet["command"]]) + length_bytes(len(body)) + body)
            return MQTTErrorCode.MQTT_ERR_SUCCESS


def make_client(settings: MqttSettings, client_id: str) -> Client:
    """A client with credentials and TLS, without callbacks."""
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
    client.max_inflight_messages_set(0)  # paho's own window iterates over all messages on each PUBACK
    client.on_socket_register_write = _queue_only
    return client


def give_credentials(client: mqtt.Client, settings: MqttSettings) -> None:
    """Sets user and password from the settings or the URL, and TLS if the URL requires it.

    Raises Unavailable for a certificate file that cannot be used, naming its setting.
    """
    url = urlsplit(settings.url)
    username = settings.username or (unquote(url.username) if url.username else None)
    password = settings.password or (unquote(url.password) if url.password else None)
    if username is not None:
        client.username_pw_set(username, password)
    if url.scheme == "mqtts":
        _use_tls(client, settings)


def _use_tls(client: mqtt.Client, settings: MqttSettings) -> None:
    files = {name: getattr(settings, name) for name in ("ca_file", "certificate_file", "key_file")}
    for name, path in files.items():
        if trouble := unreadable(path, f"ZELADOR_MQTT__{name}".upper()):
            raise Unavailable(trouble)
    try:
        client.tls_set(ca_certs=_text(settings.ca_file))
    except ssl.SSLError as error:
        why = f"ZELADOR_MQTT__CA_FILE: {settings.ca_file} has no certificate in PEM form ({error.reason or error})"
        raise Unavailable(why) from None
    if settings.certificate_file is None:
        return
    try:
        context = client._ssl_context  # tls_set takes a CA and a client certificate only together, with one error
        assert context is not None  # noqa: S101
        context.load_cert_chain(settings.certificate_file, settings.key_file, password="")
    except ssl.SSLError as error:
        raise Unavailable(
            f"ZELADOR_MQTT__CERTIFICATE_FILE {settings.certificate_file} and ZELADOR_MQTT__KEY_FILE "
            f"{settings.key_file} cannot be used ({error.reason or error}): they must be a PEM certificate and its key "
            "without a passphrase"
        ) from None


def socket_of(client: mqtt.Client, lane: bool) -> tuple[BufferedSocket | None, LaneSocket | None]:
    """The check at startup: the client's socket as BufferedSocket and as LaneSocket; None if it is not one.

    If paho creates its socket in another way, it works without them: slower, but correct.
    """
    sock = client.socket()
    if not isinstance(sock, BufferedSocket):
        log.warning(
            "paho %s does not use the buffered socket: continuing without it and without the fast lane, slower",
            paho_version,
        )
        return None, None
    if lane and not isinstance(sock, LaneSocket):
        log.warning("paho %s does not use the fast lane's socket: continuing without it, slower", paho_version)
    return sock, sock if isinstance(sock, LaneSocket) else None


def _queue_only(_client: Any, _data: Any, _sock: Any) -> None:
    """Registered so that publish and ack only queue data; a turn writes it all at once."""


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
