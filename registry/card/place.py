"""Where a model is used: the addresses, topics and folders in a card's examples."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from zelador.printable import shell_word
from zelador.settings import Settings
from zelador.user import expanded

DEVICE = "press-07"


@dataclass(frozen=True, slots=True)
class Place:
    """`options` of the command line (`--home DIR`), the broker's `mqtt` address for devices, and so on.

    `profiles`: what devices publish, as topics by the name of their profile, unless `reading` is read as it is.
    """

    options: str = ""
    mqtt: str = "mqtt://127.0.0.1:1883"
    api: str = "http://127.0.0.1:8000"
    registry: str | None = None
    reading: str = f"sensors/{DEVICE}/reading"
    prediction: str = f"sensors/{DEVICE}/prediction"
    profiles: tuple[tuple[str, str], ...] = ()
    sources: tuple[tuple[str, str, float], ...] = ()  # a feature, its key in a message, and its scale

    @property
    def client_options(self) -> str:
        """The options of mosquitto_pub and mosquitto_sub; only those that are not their defaults."""
        parts = urlsplit(self.mqtt)
        port = parts.port or (8883 if parts.scheme == "mqtts" else 1883)
        words = []
        if parts.hostname not in (None, "127.0.0.1", "localhost"):
            words += ["-h", str(parts.hostname)]
        if port != 1883:
            words += ["-p", str(port)]
        if parts.scheme == "mqtts":
            words += ["--cafile", "ca.pem"]
        if parts.username:
            words += ["-u", shell_word(unquote(parts.username)), "-P", '"$PASSWORD"']
        return "".join(f" {word}" for word in words)


def place_of(settings: Settings) -> Place:
    """The place of these settings. No password is part of it."""
    url = settings.registry.url
    folder = expanded(Path(url)) if "://" not in url else None
    home = folder.parent if folder is not None and (folder.parent / "home.json").exists() else None
    mqtt = settings.mqtt.device_url or _without_password(settings.mqtt.url, settings.mqtt.username)
    host = "127.0.0.1" if settings.api.host in ("0.0.0.0", "::") else settings.api.host  # noqa: S104
    return Place(
        options="" if home is None else f" --home {shell_word(str(home))}",
        mqtt=mqtt,
        api=f"http://{f'[{host}]' if ':' in host else host}:{settings.api.port}",
        registry=url if folder is None else str(folder),
        reading=settings.topics.reading.replace("{device_id}", DEVICE),
        prediction=settings.topics.prediction.replace("{device_id}", DEVICE),
        sources=tuple((name, each.source or name, each.scale) for name, each in settings.fields.items()),
        profiles=() if "default" in settings.profile_names else _profiles(settings),
    )


def _profiles(settings: Settings) -> tuple[tuple[str, str], ...]:
    return tuple((name, profile.topic) for name, profile in settings.named_profiles().items())


def _without_password(url: str, username: str | None) -> str:
    parts = urlsplit(url)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    user = f"{DEVICE}@" if username or parts.username else ""
    return f"{parts.scheme}://{user}{host}{f':{parts.port}' if parts.port else ''}"
