"""Labels from a table: work orders, or the start and end columns of Amazon Lookout for Equipment."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

from zelador.errors import InvalidInput
from zelador.labels.moment import changed_clock
from zelador.labels.rules import Wish
from zelador.labels.store import MAX_LABELS
from zelador.settings import Settings
from zelador.table.columns import DEVICE_NAMES
from zelador.table.numbers import Cell, is_missing
from zelador.table.read import label_or_blank
from zelador.table.table import Table, listed, open_table, place_of
from zelador.table.times import times_of

OPTION = re.compile(r"--(columns|device|label)\b")  # of the command; the API has parameters
ROLES = ("device", "from", "to", "label", "note", "id")
NEEDED = ("from", "to", "device", "label")
NAMES: Mapping[str, tuple[str, ...]] = {  # of columns, unless the caller names them; without accents
    "device": (
        *DEVICE_NAMES, "equipment", "equipment_id", "tag", "equipamento", "maquina", "dispositivo", "id_equipamento",
        "id_do_equipamento", "id_maquina", "id_da_maquina", "id_dispositivo", "id_do_dispositivo", "ativo", "sensor",
    ),
    "from": (
        "from", "start", "begin", "start_time", "starttime", "start_date", "started_at", "begin_time", "inicio",
        "comeco", "data_inicio", "data_de_inicio", "data_inicial", "hora_inicio", "hora_de_inicio", "inicio_em", "de",
    ),
    "to": (
        "to", "end", "stop", "end_time", "endtime", "end_date", "ended_at", "finished_at", "stop_time", "fim",
        "termino", "data_fim", "data_de_fim", "data_final", "data_termino", "data_de_termino", "hora_fim",
        "hora_de_fim", "hora_termino", "hora_de_termino", "fim_em", "ate",
    ),
    "label": (
        "label", "class", "state", "status", "rotulo", "etiqueta", "classe", "falha", "estado", "needs_maintenance",
        "needed_maintenance", "maintenance", "precisa_de_manutencao", "precisava_de_manutencao",
        "precisou_de_manutencao", "precisa_manutencao", "manutencao",
    ),
    "note": (
        "note", "notes", "description", "comment", "work_order", "workorder", "order", "order_no", "order_number",
        "nota", "notas", "observacao", "observacoes", "obs", "descricao", "comentario", "ordem", "ordem_de_servico",
        "os",
    ),
    "id": (),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class WorkOrders:
    """The rows of a table. `wishes` are not checked yet.

    `faults` has the line and reason of each row that is not a label; `columns` has the role of each column.
    """

    wishes: tuple[Wish, ...]
    faults: tuple[tuple[int, str], ...]
    columns: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]


def named_columns(text: str | None) -> dict[str, str]:
    """`device=asset,from=start` as a mapping. Raises InvalidInput."""
    found: dict[str, str] = {}
    for part in (text or "").split(","):
        if not part.strip():
            continue
        role, is_pair, column = (piece.strip() for piece in part.partition("="))
        if not is_pair or role not in ROLES or not column:
            raise InvalidInput(
                f"columns: {part.strip()[:60]!r} is not one of {', '.join(f'{each}=COLUMN' for each in ROLES)}"
            )
        if role in found:
            raise InvalidInput(f"columns: {role} is named twice; name it once")
        found[role] = column
    return found


def read_work_orders(
    path: Path,
    settings: Settings,
    columns: Mapping[str, str],
    device: str | None = None,
    label: str | None = None,
    source: str | None = None,
) -> WorkOrders:
    """Reads a table. `device` and `label` are for all rows, if the table has no such column.

    An empty `to` means until further notice. A time without a zone is in ZELADOR_TIME_ZONE. Raises InvalidInput if the
    table cannot be read; the message names `source` instead of the path, if it is given.
    """
    try:
        return _read(path, settings, columns, device, label)
    except InvalidInput as error:
        if source is None:
            raise
        raise InvalidInput(OPTION.sub(r"\1", str(error).replace(str(path), source))) from None


def _read(
    path: Path, settings: Settings, columns: Mapping[str, str], device: str | None, label: str | None
) -> WorkOrders:
    table = open_table(path)
    places = _places(table, columns, device, label)
    names = tuple(places)
    rows = []
    for line, cells in table.cells([places[name] for name in names]):
        rows.append((line, dict(zip(names, cells, strict=True))))
        if len(rows) > MAX_LABELS:
            raise InvalidInput(f"{table.source} has more than {MAX_LABELS} rows; import it in parts")
    moments = _moments([row.get(name) for _, row in rows for name in ("from", "to")], table, settings)
    wishes: list[Wish] = []
    faults: list[tuple[int, str]] = []
    for place, (line, row) in enumerate(rows):
        begin, end = moments[2 * place : 2 * place + 2]
        asset = device if device is not None else label_or_blank(row.get("device"))
        why = (
            "the device is missing" if not asset
            else begin if isinstance(begin, str) else end if isinstance(end, str)
            else "from is missing" if begin is None else None
        )  # fmt: skip
        why = why or _clock_fault(row.get("from"), begin, settings) or _clock_fault(row.get("to"), end, settings)
        if why is not None or begin is None or isinstance(begin, str) or isinstance(end, str):
            faults.append((line, why or "from is missing"))
            continue
        given = label if label is not None else row.get("label")
        note, id_ = _text(row.get("note")), _text(row.get("id"))
        wishes.append(Wish(asset, begin, end, given, note, id_ or None, line))
    taken = tuple((name, table.columns[place]) for name, place in places.items())
    return WorkOrders(tuple(wishes), tuple(faults), taken, table.notes)


def _places(table: Table, columns: Mapping[str, str], device: str | None, label: str | None) -> dict[str, int]:
    """The place of each role's column. A table of two columns without a header has start and end."""
    found = {role: place_of(table, name, "--columns") for role, name in columns.items()}
    for role, given in (("device", device), ("label", label)):
        if given is not None and role in found:
            raise InvalidInput(f"--{role} and a column for it are given; use one of them")
    given_once = {role for role, given in (("device", device), ("label", label)) if given is not None}
    found = guessed(table.columns, found, given_once)
    if missing := [role for role in NEEDED if role not in found and role not in given_once]:
        role = missing[0]
        option = f", or give it for all rows with --{role}" if role in ("device", "label") else ""
        raise InvalidInput(
            f"{table.source}: no column says {role}; it has {listed(table.columns)}. "
            f"Name it with --columns {role}=COLUMN{option}"
        )
    return found


def guessed(columns: Sequence[str], chosen: Mapping[str, int], given_once: Collection[str] = ()) -> dict[str, int]:
    """The place of each role's column: as `chosen`, else by its name. `given_once` are roles that need no column."""
    found = dict(chosen)
    plain = [_plain(column) for column in columns]
    for role in ROLES:
        if role in found or role in given_once:
            continue
        place = next((plain.index(n) for n in NAMES[role] if n in plain and plain.index(n) not in found.values()), None)
        if place is not None:
            found[role] = place
    if "from" not in found and plain == ["column_1", "column_2"]:
        found |= {"from": 0, "to": 1}
    return found


def _plain(column: str) -> str:
    """The name of a column without accents and question mark, in small letters, with underscores for blanks."""
    letters = unicodedata.normalize("NFD", column.strip(" \t?:").casefold())
    return "_".join("".join(each for each in letters if not unicodedata.combining(each)).split())


def _moments(cells: Sequence[Cell], table: Table, settings: Settings) -> list[int | str | None]:
    """The time in each cell; None for an empty cell; the reason if it is not a time.

    Day and month are in the order that fits all cells, unless a cell is not a time at all.
    """
    zone = ZoneInfo(settings.time_zone)
    known = [place for place, cell in enumerate(cells) if not _is_blank(cell)]
    found: list[int | str | None] = [None] * len(cells)
    try:
        moments, calendar = times_of([cells[place] for place in known], zone)
        if known and not calendar:
            raise InvalidInput(f"{table.source}: {cells[known[0]]!r} is not a time of the calendar")
        for place, moment in zip(known, moments, strict=True):
            found[place] = moment
        return found
    except InvalidInput as error:
        if "can be day and month" in str(error):
            raise InvalidInput(f"{table.source}: {error}") from None
    for place in known:
        try:
            (moment,), calendar = times_of([cells[place]], zone)
            found[place] = moment if calendar else f"{cells[place]!r} is not a time such as 2026-12-31T23:59:59Z"
        except InvalidInput as error:
            found[place] = str(error)
    return found


def _clock_fault(cell: Cell, moment: int | str | None, settings: Settings) -> str | None:
    if not isinstance(cell, str) or not isinstance(moment, int):
        return None
    why = changed_clock(cell.strip(), moment, settings.time_zone)
    return None if why is None else f"{cell.strip()[:40]} {why}"


def _is_blank(cell: Cell) -> bool:
    return cell is None or cell == "" or (isinstance(cell, str) and is_missing(cell)) or cell != cell


def _text(cell: Cell) -> str:
    return "" if _is_blank(cell) else label_or_blank(cell)
