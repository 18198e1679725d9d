"""Makes the paths in the settings absolute, for a process that changes its folder."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import quote, unquote, urlsplit

from zelador.settings.archive import ArchiveSettings
from zelador.settings.redis import RedisSettings
from zelador.settings.registry import RegistrySettings
from zelador.settings.section import Section
from zelador.settings.settings import Settings
from zelador.user import expanded

# Files that redis-py opens at each connection, and options of a bucket that name a file.
REDIS_FILES = re.compile(r"(?<=[?&])(ssl_(?:ca_certs|ca_path|certfile|keyfile)=)([^&#]+)")
BUCKET_FILES = ("_path", "_file", "service_account", "credentials")


def absolute(settings: Settings) -> Settings:
    """The settings with absolute paths. Raises InvalidInput for `~` if the user has no home folder."""
    changed: dict[str, Section] = {}
    for name, section in settings:
        if isinstance(section, Section):
            paths: dict[str, object] = {key: expanded(value) for key, value in section if isinstance(value, Path)}
            if isinstance(section, RegistrySettings | ArchiveSettings):
                paths |= {"url": _store(section.url), "bucket": tuple(map(_option, section.bucket))}
            elif isinstance(section, RedisSettings):
                paths["url"] = REDIS_FILES.sub(_file, section.url)
            changed[name] = section.model_copy(update=paths)
    return settings.model_copy(update=changed)


def _store(url: str) -> str:
    parts = urlsplit(url)
    if not url or parts.scheme not in ("", "file"):
        return url
    return str(expanded(Path(url if not parts.scheme else unquote(parts.path))))


def _option(option: str) -> str:
    name, _, value = option.partition("=")
    return f"{name}={expanded(Path(value))}" if name.lower().endswith(BUCKET_FILES) and value else option


def _file(found: re.Match[str]) -> str:
    return found[1] + quote(str(expanded(Path(unquote(found[2])))))
