"""Says in the reader's language why a table cannot be read, and what was noticed in it."""

from __future__ import annotations

from collections.abc import Mapping

from admin.console.catalog import Messages, Plural, plural
from admin.console.catalog import mark as _
from admin.console.language import Language

TABLES: Mapping[str, str | Plural] = {  # pattern of a message about a table to its translation
    r".+: no column says (?P<field>\w+); it has (?P<names>.+)\. Name it with .+": _(
        "No column says which one is: %(field)s. The table has %(names)s. Choose the column."
    ),
    r".+ has more than (?P<most>\d+) rows; .+": _("The table has more than %(most)s rows. Use a part of it."),
    r".+ has (?P<count>\d+) rows, more than (?P<most>\d+); .+": _(
        "The table has %(count)s rows, more than %(most)s. Use a part of it."
    ),
    r".+ has (?P<count>\d+) columns, more than (?P<most>\d+)": _(
        "The table has %(count)s columns, more than %(most)s."
    ),
    r".+ has more than (?P<most>\d+) names": _("The rows have more than %(most)s names together."),
    r".+ has no rows( below its header)?|.+ is empty; it has no rows": _("The table has no rows."),
    r".+ is not a table in text form; .+|.+ is not a file; .+": _(
        "This is not a table: take a CSV, JSON lines, Parquet or Arrow file."
    ),
    r".+: not (?P<name>\S+) text; save it as UTF-8": _("The table is not text in UTF-8. Save it as UTF-8."),
    r".+: two columns are named (?P<name>['\"].*['\"]), .+": _("Two columns are named %(name)s. Rename one of them."),
    r".+ has no column (?P<name>['\"].*?['\"]); it has (?P<names>.+?)(\. .+)?": _(
        "The table has no column %(name)s. It has %(names)s."
    ),
    r"columns: .+|--\w+ and a column for it are given; use one of them": _("The choice of columns cannot be used."),
    r".+: (?P<text>['\"].*['\"]) is not a time of the calendar": _("%(text)s is not a valid date or time."),
    r".+: (?P<text>['\"].*['\"]) can be day and month .+": _(
        "%(text)s can be read in two ways, day or month first. Write it as 2026-12-31."
    ),
    r".+ cannot be read \(.+\); (is it complete\?|name a table with a header)": _(
        "The file cannot be read. Is it complete?"
    ),
    r".+ cannot be (read or )?unpacked \(.+\); .+|.+ is a broken zip file \(.+\)": _(
        "The file cannot be unpacked. Is it complete? Upload it unpacked."
    ),
    r".+ is a Parquet or Arrow file, and pyarrow is not installed; .+": _(
        "Parquet and Arrow files cannot be read on this server. Save the table as CSV."
    ),
    r".+ is a compressed Parquet file; .+|.+ is compressed with zstd, and .+|.+ is a (RAR|7z) archive; .+|"
    r".+ unpacks to more than \d+ times its size; .+": _("The file is packed. Unpack it first."),
    r".+ is encrypted; unpack it first": _("The file is encrypted. Unpack it first."),
    r".+ holds (?P<count>\d+) files \((?P<names>.*)\); a zip file must hold one table": _(
        "The zip file holds %(count)s files (%(names)s). It must hold one table."
    ),
    r".+ has more than (?P<most>\d+) MiB of text; .+": _(
        "The table has more than %(most)s MiB of text. Use a part of it."
    ),
    r".+ is an Excel workbook.*; save it as CSV": _("This is an Excel workbook. Save the table as CSV."),
    r".+ is a web page or XML; .+": _("This is a web page or XML. Export the table as CSV."),
    r".+ is (an? )(?P<name>PDF|SQLite database|HDF5 file|pickle|Feather file of version 1); .+": _(
        "This is not a table (%(name)s). Export the table as CSV."
    ),
    r".+ is a JSON array of more than (?P<most>\d+) MiB; .+": _(
        "The JSON array has more than %(most)s MiB. Write one object a line."
    ),
    r".+? (line|element) (?P<line>\d+): .* is not a JSON object with a value for each column|"
    r".+ is not a JSON object with a value for each column": _(
        "A row is not a JSON object with a value for each column."
    ),
    r".+ the name (?P<name>.+) is listed twice": _("A row has the name %(name)s twice."),
    r".+ nested too deep": _("The JSON is nested too deep."),
    r".+ not JSON \(.+\); write one object a line": _("The file is not JSON. Write one object a line."),
    r".+, line (?P<line>\d+) has more than (?P<most>\d+) characters; .+": _(
        "Line %(line)s has more than %(most)s characters. Is this a table?"
    ),
    r".+, line (?P<line>\d+): .+; is an earlier quotation mark not closed\?": _(
        "Line %(line)s cannot be read. Is an earlier quotation mark not closed?"
    ),
    r".+, line (?P<line>\d+) has one value in (?P<count>\d+) cells; .+": _(
        "Line %(line)s has one value in %(count)s cells. Remove the lines above the header."
    ),
    r".+, line (?P<line>\d+) cannot be split into cells; .+": _(
        "Line %(line)s cannot be split into cells. Save the table as CSV, one row a line."
    ),
    r".+: the first line has 1 value and others have (?P<count>\d+); .+": _(
        "The first line has 1 value, and others have %(count)s. Remove the lines above the header."
    ),
    r".+: line (?P<line>\d+) is a header again, .+": _(
        "Line %(line)s is a header again, with its columns in another order. Split the file there."
    ),
    r".+, line (?P<line>\d+): (?P<count>\d+) values, the (header|first line) has (?P<most>\d+)(?:; .+)?": plural(
        "Line %(line)s has 1 value, and the first line has %(most)s. Is a value with a separator in quotes?",
        "Line %(line)s has %(count)s values, and the first line has %(most)s. Is a value with a separator in quotes?",
        "count",
    ),
}
NOTES: Mapping[str, str] = {  # pattern of what was noticed, to its translation
    r"(?P<count>\d+) lines? of comments above the header (was|were) passed over": _(
        "Lines of comments above the header that were passed over: %(count)s."
    ),
    r"the first line has values and no names, so the columns are column_1 to column_(?P<count>\d+)": _(
        "The first line has values and no names, so the columns are column_1 to column_%(count)s."
    ),
    r"the header lacks the name of the first column, .+": _(
        "The header lacks the name of the first column, which is taken for the number or the name of the row."
    ),
    r"a separator at the end of the lines is passed over: .+": _(
        "A separator at the end of the lines is passed over: no line has a value after it."
    ),
    r"(?P<count>\d+) rows? without any value (was|were) passed over": _(
        "Rows without any value that were passed over: %(count)s."
    ),
    r"(?P<count>\d+) repeated header lines? (was|were) passed over \(line (?P<lines>.+)\)": _(
        "Repeated headers that were passed over: %(count)s (line %(lines)s)."
    ),
    r"the file is read as (?P<name>.+)": _("The file is read as %(name)s."),
    r"the columns are separated by (?P<separator>.+)": _("The columns are separated by %(separator)s."),
}
SEPARATORS: Mapping[str, str] = {
    "a comma": _("a comma"), "a semicolon": _("a semicolon"), "a tab": _("a tab"), "a bar": _("a bar"),
    "blanks": _("blanks"),
}  # fmt: skip
NOTE_MESSAGES = Messages(NOTES)


def note_text(language: Language, note: str) -> str:
    """Returns what was noticed in a table as a sentence; a note of a later version stays in English."""

    def shown(name: str, part: str) -> str:
        if name == "separator":
            return language.text(SEPARATORS.get(part, part))
        return language.number(int(part)) if part.isdecimal() else part

    return NOTE_MESSAGES.translated(language, note, shown) or f"{note[:1].upper()}{note[1:]}."
