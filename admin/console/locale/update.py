"""Updates the catalogs from the templates: `python admin/console/locale/update.py`, in the project's folder.

New messages are added without a translation, and a test names them. Messages that are no longer used are removed.
"""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po, write_po

CREATED = datetime(2026, 11, 26, tzinfo=timezone.utc)  # fixed, so that an unchanged catalog is the same file
FOLDER = Path(__file__).parent
CONSOLE = FOLDER.parent
METHODS = [("**.py", "python"), ("**.html", "jinja2")]
KEYWORDS = {**DEFAULT_KEYWORDS, "text": None, "counted": (1, 2), "plural": (1, 2)}  # of Language and catalog
OPTIONS: dict[str, dict[str, Any]] = {
    "**.html": {"newstyle_gettext": "true", "trimmed": "true", "trim_blocks": "true", "lstrip_blocks": "true"}
}


def template() -> Catalog:
    """Returns all messages of the console's code and templates."""
    found = Catalog(project="Zelador", charset="utf-8")
    for _name, _line, message, comments, context in extract_from_dir(
        CONSOLE, METHODS, OPTIONS, KEYWORDS, strip_comment_tags=True
    ):
        found.add(message, None, (), auto_comments=comments, context=context)
    return found


def catalog(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file, locale=path.stem.replace("-", "_"))


def update(path: Path) -> None:
    found = catalog(path)
    found.update(template(), no_fuzzy_matching=True)
    found.obsolete.clear()
    found.creation_date = CREATED
    found.msgid_bugs_address = ""
    with path.open("wb") as file:
        write_po(file, found, omit_header=False, width=120, sort_output=True, no_location=True)


if __name__ == "__main__":
    for po in FOLDER.glob("*.po"):
        update(po)
