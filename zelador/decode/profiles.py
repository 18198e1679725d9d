"""The profiles that the settings name, compiled."""

from __future__ import annotations

from zelador.decode.profile import Profile, Source, path_of
from zelador.settings import Settings


def profiles_of(settings: Settings) -> tuple[Profile, ...]:
    return (default_profile(settings),)


def default_profile(settings: Settings) -> Profile:
    """What ZELADOR_TOPICS__READING and ZELADOR_FIELDS say."""
    sources = []
    for feature in settings.features:
        field = settings.field(feature)
        sources.append((Source(path_of(field.source or feature), field.scale),))
    return Profile("default", settings.topics.reading, tuple(sources))
