"""Tables of work orders, in the forms that plants have them."""

from __future__ import annotations

from pathlib import Path

import pytest

from zelador.errors import InvalidInput
from zelador.labels.work_orders import named_columns, read_work_orders
from zelador.messages import iso
from zelador.settings import Settings


def read(tmp_path: Path, text: str, columns: str = "", zone: str = "UTC", **given: str):
    path = tmp_path / "orders.csv"
    path.write_text(text)
    return read_work_orders(path, Settings(time_zone=zone), named_columns(columns), **given)


def test_columns_are_named_or_known_by_their_names(tmp_path: Path) -> None:
    text = (
        "wo;asset;start;end;state\n4471;press-07;24.11.2026 14:00;24.11.2026 15:10;yes\n4472;7.0;25.11.2026 08:00;;no\n"
    )
    found = read(tmp_path, text, "device=asset,from=start,to=end,id=wo")
    assert [(w.id, w.device, iso(w.begin), w.end and iso(w.end), w.label) for w in found.wishes] == [
        ("4471", "press-07", "2026-11-24T14:00:00.000Z", "2026-11-24T15:10:00.000Z", "yes"),
        ("4472", "7", "2026-11-25T08:00:00.000Z", None, "no"),
    ]
    assert [w.line for w in found.wishes] == [2, 3]


@pytest.mark.parametrize("asks", ["Needs maintenance", "Precisa de manutenção?", "needed_maintenance", "Manutenção"])
def test_the_question_of_the_console_is_a_label(tmp_path: Path, asks: str) -> None:
    found = read(tmp_path, f"Máquina;Início;Fim;{asks}\npress-07;24.11.2026 14:00;24.11.2026 15:10;Sim\n")
    assert [wish.label for wish in found.wishes] == ["Sim"]


def test_the_starts_and_ends_of_lookout_for_equipment_need_no_header(tmp_path: Path) -> None:
    rows = ["2020-02-01T20:00:00.000000,2020-02-03T00:00:00.000000", "2020-07-01T20:00:00.000000,2020-07-03T00:00:00"]
    text = "\n".join(rows)
    found = read(tmp_path, text, device="pump-3", label="faulty")
    assert [(w.device, iso(w.begin), w.label) for w in found.wishes] == [
        ("pump-3", "2020-02-01T20:00:00.000Z", "faulty"),
        ("pump-3", "2020-07-01T20:00:00.000Z", "faulty"),
    ]
    with pytest.raises(InvalidInput, match="--device"):
        read(tmp_path, text, label="faulty")


def test_local_times_are_in_the_plants_zone_on_both_sides_of_a_change_of_the_clock(tmp_path: Path) -> None:
    text = "device,from,to,label\na,2026-03-28 12:00,2026-03-29 12:00,yes\n"
    (found,) = read(tmp_path, text, zone="Europe/Berlin").wishes
    assert (iso(found.begin)[11:16], iso(found.end or 0)[11:16]) == ("11:00", "10:00")
    text += "a,25.10.2026 02:30,25.10.2026 04:00,yes\na,2026-10-25 02:30:00+01:00,2026-10-25 04:00,yes\n"
    text += "a,2026-10-24 12:00,2026-10-25 2:15,yes\n"
    orders = read(tmp_path, text, zone="Europe/Berlin")
    assert [(line, "exists twice" in why) for line, why in orders.faults] == [(3, True), (5, True)]
    assert [wish.line for wish in orders.wishes] == [2, 4]


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("a,soon,2026-11-24T10:00Z,yes", "'soon' is not a time"),
        ("a,,2026-11-24T10:00Z,yes", "from is missing"),
        (",2026-11-24T09:00Z,2026-11-24T10:00Z,yes", "device is missing"),
        ("a,17,2026-11-24T10:00Z,yes", "'17' is not a time"),
    ],
)
def test_a_row_without_a_valid_period_is_named_and_the_others_are_read(tmp_path: Path, row: str, why: str) -> None:
    found = read(tmp_path, f"device,from,to,label\nb,2026-11-24T09:00Z,2026-11-24T10:00Z,no\n{row}\n")
    ((line, said),) = found.faults
    assert line == 3 and why in said
    assert [w.device for w in found.wishes] == ["b"]


@pytest.mark.parametrize(
    ("text", "columns", "said"),
    [
        ("device,from,to\na,2026-11-24T09:00Z,2026-11-24T10:00Z\n", "", "no column says label"),
        ("device,to,label\na,2026-11-24T09:00Z,x\n", "", "no column says from"),
        ("device,from,to,label\na,01/02/2026,03/02/2026,x\n", "", "day and month"),
        ("device,from,to,label\na,1,2,x\n", "device=machine", "no column 'machine'"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_with_what_to_do(
    tmp_path: Path, text: str, columns: str, said: str
) -> None:
    with pytest.raises(InvalidInput, match=said):
        read(tmp_path, text, columns)


@pytest.mark.parametrize("text", ["device", "machine=asset", "from=", "from=a,from=b"])
def test_columns_are_pairs(text: str) -> None:
    with pytest.raises(InvalidInput, match="columns"):
        named_columns(text)


@pytest.mark.parametrize(
    "header",
    [
        "Equipamento;Início;Fim;Rótulo;Observação",
        "MÁQUINA;inicio;término;falha;nota",
        "dispositivo;Começo;Ate;Etiqueta;Ordem",
        "id da máquina;De;Até;Classe;Ordem de serviço",
        "Equipamento;Data de início;Data de término;estado;obs",
    ],
)
def test_portuguese_headings_are_known_with_and_without_accents(tmp_path: Path, header: str) -> None:
    found = read(tmp_path, f"{header}\npress-07;24/11/2026 14:00;24/11/2026 15:10;sim;4471\n")
    names = header.split(";")
    assert found.columns == tuple(zip(("device", "from", "to", "label", "note"), names, strict=True))
    (wish,) = found.wishes
    assert (wish.device, wish.label, wish.note, iso(wish.begin)[:10]) == ("press-07", "sim", "4471", "2026-11-24")
