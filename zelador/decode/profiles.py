"""The profiles that the settings name, compiled."""

from __future__ import annotations

from zelador.decode.profile import Path, Profile, Source, path_of
from zelador.settings import Settings
from zelador.settings.profiles import DEFAULT, NONE, ProfileSettings, SourceSettings
from zelador.units import conversion


def profiles_of(settings: Settings) -> tuple[Profile, ...]:
    named = settings.named_profiles()
    return tuple(
        _compiled(settings, name, named[name]) if name in named else default_profile(settings)
        for name in settings.profile_names
    )


def default_profile(settings: Settings) -> Profile:
    """The profile that ZELADOR_TOPICS__READING and ZELADOR_FIELDS describe."""
    sources = []
    for feature in settings.features:
        field = settings.field(feature)
        sources.append((Source(path_of(field.source or feature), field.scale),))
    return Profile(DEFAULT, settings.topics.reading, tuple(sources))


def _compiled(settings: Settings, name: str, given: ProfileSettings) -> Profile:
    sources = []
    for feature in settings.features:
        places = given.fields.get(feature) or [SourceSettings.model_validate({"from": feature})]
        sources.append(tuple(source(place, settings.field(feature).unit) for place in places))
    return Profile(
        name,
        given.topic,
        tuple(sources),
        _key(given.ts),
        _key(given.seq),
        _key(given.id),
        _key(given.label),
        tuple(path_of(key) for key in given.device),
        given.words,
        given.text_numbers,
        given.window_s,
        given.shared_topic,
    )


def source(place: SourceSettings, target: str) -> Source:
    """Compiles one place of a value. Raises ValueError if the unit is not known or cannot be converted."""
    factor, offset = conversion(place.unit, target) if place.unit else (1.0, 0.0)
    unit_at = path_of(place.unit_from) if place.unit_from else None
    scale, shift = place.scale * factor, place.offset * factor + offset
    return Source(path_of(place.source), scale, shift, unit_at, place.scale, place.offset)


def _key(text: str) -> Path | None:
    return None if text == NONE else path_of(text)
