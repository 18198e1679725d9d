"""Finds the names of a model's classes: its own, or those of an encoder or a list that was saved with it."""

from __future__ import annotations

from collections.abc import Sequence

from registry.adopt.kinds import labels_of
from registry.adopt.pickle_parts import Part, Parts, described, names_by_class, texts
from registry.errors import TypeRefused
from registry.legacy.names_file import words_of
from registry.model.classifier import text_of
from zelador.errors import InvalidInput
from zelador.messages.labels import label_text

OF_CLASSES = frozenset(("class", "classes", "label", "labels", "target", "targets", "y"))  # words in a part's place


def class_names(
    own: Sequence[str],
    parts: Parts,
    given: Sequence[str],
    width: int | None,
    optional: bool = False,
    columns: Sequence[str] = (),
) -> tuple[tuple[str, ...], list[str]]:
    """The names of the classes, in the model's order, and notes for people. Removes the used lists from `parts`.

    `own` are the model's classes as text, `given` the names that a person gave. `optional`: names for other classes
    belong to another model. `columns` are the names of the model's columns: an encoder that is named after one of them
    converts that column. Raises TypeRefused, InvalidInput.
    """
    notes: list[str] = []
    coded = all(label.lstrip("-").isdigit() for label in own)
    if given and tuple(given) != tuple(own) and sorted(given) == sorted(own):
        if coded:
            raise InvalidInput(f"--classes: its classes are {', '.join(own)}, in this order, and cannot change places")
        return tuple(own), [f"its own order of classes is kept: {', '.join(own)}"]
    if given:
        if len(given) != len(own):
            raise InvalidInput(f"--classes has {len(given)} names, the model has {len(own)} classes ({', '.join(own)})")
        return tuple(given), [f"classes {', '.join(own)} are named {', '.join(given)} (--classes)"]
    candidates: list[tuple[Part, dict[str, str]]] = []
    for part in parts.encoders:
        if column := _column_of(part, columns):
            notes.append(
                f"not used, because it converts the column {column}, which readings must have as a number: "
                f"{described(part)}"
            )
            continue
        names = tuple(text_of(each) for each in labels_of(part.what)) if _fitted(part) else ()
        if names != tuple(own):
            candidates.append((part, {str(code): name for code, name in enumerate(names)}))
    candidates += [(part, names_by_class(part.what)) for part in parts.mappings if coded]
    for part in list(parts.names):
        listed = tuple(texts(part.what) or ())
        if _is_of_classes(part, listed, own, width):
            parts.names.remove(part)
            if sorted(listed) != sorted(own):
                candidates.append((part, {str(code): name for code, name in enumerate(listed)}))
    found: list[tuple[Part, tuple[str, ...]]] = []
    for part, by_code in candidates:
        if optional and set(by_code) != set(own):
            notes.append(f"not used, because it is of other classes: {described(part)}")
        else:
            found.append((part, _decoded(own, by_code, part)))
    if not found:
        read = _as_labels(own)
        if read != tuple(own):
            notes.append(f"classes {', '.join(own)} are named {', '.join(read)}, as labels of readings are")
        return read, notes
    if len({names for _, names in found}) > 1:
        raise TypeRefused(f"its classes have different names in {' and '.join(described(part) for part, _ in found)}")
    part, names = found[0]
    return names, [*notes, f"classes {', '.join(own)} are named {', '.join(names)}, as in {described(part)}"]


def _as_labels(own: Sequence[str]) -> tuple[str, ...]:
    """The classes by the rule for labels ("True" is "1"); unchanged if two would become equal."""
    try:
        read = tuple(label_text(label) or label for label in own)
    except ValueError:  # too long, or not printable: the manifest's check says so
        return tuple(own)
    return read if len(set(read)) == len(read) else tuple(own)


def _fitted(part: Part) -> bool:
    if not hasattr(part.what, "classes_") and not hasattr(part.what, "categories_"):
        raise TypeRefused(f"the model comes with {described(part)}, which was never fitted")
    return True


def _decoded(own: Sequence[str], names: dict[str, str], part: Part) -> tuple[str, ...]:
    """The names of the classes by their codes. The codes must be those of the model, all of them."""
    if set(names.values()) == set(own) and any(code != name for code, name in names.items()):
        raise TypeRefused(
            f"the model comes with {described(part)}, which gives its classes {', '.join(own)} each other's names; "
            "name them with --classes, or import the model alone"
        )
    if set(names) != set(own):
        raise TypeRefused(
            f"the model comes with {described(part)} for {len(names)} classes ({', '.join(names.values())}), and its "
            f"own classes are {', '.join(own)}: it is not certain that they belong together"
        )
    return tuple(names[code] for code in own)


def _column_of(part: Part, columns: Sequence[str]) -> str | None:
    """The column that an encoder converts, if its place names one: `machine_encoder.pkl`, `['encoders']['machine']`."""
    words = set(words_of(part.where))
    if not words.isdisjoint(OF_CLASSES):
        return None
    return next((column for column in columns if (own := set(words_of(column))) and own <= words), None)


def _is_of_classes(part: Part, listed: Sequence[str], own: Sequence[str], width: int | None) -> bool:
    """True if a list of names is for the classes and not for the columns."""
    where = part.where.lower()
    if sorted(listed) == sorted(own):
        return True
    if any(word in where for word in ("class", "label", "target")):
        return True
    if any(word in where for word in ("feature", "column", "cols", "input", "names_in")):
        return False
    if len(listed) == len(own) == width:
        raise TypeRefused(
            f"{described(part)} may name its {len(own)} classes or its {width} columns; say which: "
            "--features or --classes"
        )
    return len(listed) == len(own) and len(listed) != width
