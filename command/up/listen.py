"""The address at which devices reach `zelador up`: loopback, or with `--listen` the network, with or without TLS."""

from __future__ import annotations

import errno
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from command.up.ports import HOST, trouble
from zelador.errors import InvalidInput, Unavailable

STANDARD_PORT = 1883
SOMEWHERE = {4: ("192.0.2.1", 9), 6: ("2001:db8::1", 9)}  # reserved addresses, to find a route without sending


@dataclass(frozen=True, slots=True)
class Listen:
    """The address of `--listen`. Devices that connect there need a password."""

    address: str
    certificate: Path | None = None
    key: Path | None = None

    @property
    def hosts(self) -> tuple[str, ...]:
        """The addresses that the gate binds. `::` stands for all addresses of both families."""
        return ("::", "0.0.0.0") if self.address == "::" else (self.address,)  # noqa: S104 - the user's choice

    @property
    def scheme(self) -> str:
        return "mqtts" if self.certificate else "mqtt"

    def local_url(self, port: int) -> str:
        """Returns the URL for programs on this machine."""
        host = {"0.0.0.0": HOST, "::": "[::1]"}.get(self.address, _in_url(self.address))  # noqa: S104
        return f"{self.scheme}://{host}:{port}"

    def device_url(self, port: int) -> str:
        """Returns the URL for devices, as far as this machine knows its own address."""
        return f"{self.scheme}://{_in_url(_outward(self.address))}:{port}"

    def context(self) -> ssl.SSLContext | None:
        """Returns the server's TLS context; None without TLS. Raises InvalidInput, which names the option."""
        if self.certificate is None or self.key is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        load_certificate(context, self.certificate, self.key)
        return context


def listening(address: str | None, certificate: Path | None, key: Path | None) -> Listen | None:
    """Reads the options of `zelador up`; None without `--listen`. Raises InvalidInput."""
    if (certificate is None) != (key is None):
        missing = "--tls-key" if key is None else "--tls-cert"
        raise InvalidInput(f"--tls-cert and --tls-key belong together: {missing} is missing")
    if address is None:
        if certificate is not None:
            raise InvalidInput("--tls-cert needs --listen ADDRESS, such as --listen 0.0.0.0")
        return None
    text = HOST if address == "localhost" else address.strip("[]")
    try:
        ipaddress.ip_address(text)
    except ValueError:
        raise InvalidInput(
            f"--listen {address}: use an address of this machine, such as 192.168.1.10, or 0.0.0.0 for all of them"
        ) from None
    return Listen(text, certificate, key)


def listen_port(listen: Listen, requested: int | None, before: Mapping[str, Any]) -> int:
    """Returns the requested port, else the one at which devices found this home before, else 1883.

    Raises Unavailable if it is in use: devices do not look for another one.
    """
    remembered = before.get("listen_port")
    port = requested or (remembered if isinstance(remembered, int) else STANDARD_PORT)
    for host in listen.hosts:
        if (error := trouble(port, host)) is None:
            continue
        if error.errno == errno.EADDRNOTAVAIL:
            raise Unavailable(f"--listen {host}: this machine has no such address (ip address shows those it has)")
        if error.errno == errno.EACCES:
            raise Unavailable(f"port {port} needs more rights; choose one above 1023 with --mqtt-port")
        raise Unavailable(f"port {port} on {host} is in use; stop what uses it, or choose another with --mqtt-port")
    return port


def load_certificate(context: ssl.SSLContext, certificate: Path, key: Path) -> None:
    """Loads certificate and key into `context`. Raises InvalidInput, which names the option whose file is unusable."""
    for option, path in (("--tls-cert", certificate), ("--tls-key", key)):
        try:
            path.read_bytes()
        except OSError as error:
            raise InvalidInput(f"{option} {path}: {error.strerror}") from None
    try:
        context.load_cert_chain(certificate, key, password="")
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise InvalidInput(
                f"--tls-key {key} is not the key of the certificate in --tls-cert {certificate}"
            ) from None
        raise InvalidInput(
            f"--tls-cert {certificate} and --tls-key {key} cannot be used ({error.reason or error}): they must be PEM "
            "files with the certificate chain, and its key without a passphrase"
        ) from None


def _outward(address: str) -> str:
    """Returns the address; for a wildcard, the one with which this machine reaches others."""
    if address not in ("0.0.0.0", "::"):  # noqa: S104
        return address
    for family, where in ((socket.AF_INET, SOMEWHERE[4]), (socket.AF_INET6, SOMEWHERE[6])):
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            try:
                probe.connect(where)  # of a datagram socket: sends nothing
                return str(probe.getsockname()[0])
            except OSError:
                continue
    return HOST


def _in_url(address: str) -> str:
    return f"[{address}]" if ":" in address else address
