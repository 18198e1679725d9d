"""Explains TLS errors: what is wrong with which certificate, and the setting that fixes it."""

from __future__ import annotations

from pathlib import Path

# By a part of OpenSSL's message: the cause, and the fix; {ca} is the setting that names the CA's file.
CAUSES = (
    ("Hostname mismatch", "its certificate is for another name", "use a name that is in the certificate"),
    ("IP address mismatch", "its certificate is for another address", "use a name that is in the certificate"),
    ("certificate has expired", "its certificate has expired", "renew it there"),
    ("not yet valid", "its certificate is not valid yet", "check the clocks of both machines"),
    (
        "CERTIFICATE_VERIFY_FAILED",
        "it answers, but no CA that this machine trusts has signed its certificate",
        "set {ca} to the file of its CA",
    ),
    ("WRONG_VERSION_NUMBER", "it answers, but does not speak TLS", "use the port for TLS, or an address without it"),
    (
        "CERTIFICATE_REQUIRED",
        "it requires a client certificate",
        "set ZELADOR_MQTT__CERTIFICATE_FILE and ZELADOR_MQTT__KEY_FILE",
    ),
    ("HANDSHAKE_FAILURE", "it speaks no common version of TLS", "allow TLS 1.2 or newer there"),
    ("UNSUPPORTED_PROTOCOL", "it speaks no common version of TLS", "allow TLS 1.2 or newer there"),
)


def explain(error: object, ca: str) -> str | None:
    """The cause of a failed connection and its fix, if TLS is the cause. `ca` is the setting that names the CA."""
    text = str(error)
    for part, cause, fix in CAUSES:
        if part in text:
            return f"{cause}; {fix.format(ca=ca)}"
    return None


def unreadable(path: Path | None, setting: str) -> str | None:
    """The reason why the file that `setting` names cannot be read; None if it can be read, or is not set."""
    if path is None:
        return None
    try:
        with path.open("rb") as file:
            return None if file.read(1) else f"{setting}: {path} is empty"
    except OSError as error:
        return f"{setting}: {path}: {error.strerror}"
