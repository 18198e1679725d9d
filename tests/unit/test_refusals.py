"""Why a form of the console was refused can be said in Portuguese."""

from __future__ import annotations

import pytest

from admin.console.language import language, plant_zone
from admin.console.refusals import refusal_text
from operations.acts.labels import FULL
from tests.unit.test_quarantine_words import ROOT, messages_in

PT = language("pt-BR", plant_zone("UTC"))
EN = language("en", plant_zone("UTC"))
FILES = (
    *sorted((ROOT / "admin" / "console").rglob("*.py")),
    *(ROOT / "operations" / "acts" / f"{name}.py" for name in ("devices", "runs", "labels", "quarantine", "keys")),
    *(ROOT / name for name in ("zelador/alarms/store.py", "zelador/training_queue/queue.py", "registry/names.py")),
)
KINDS = ("InvalidInput", "NotFound", "Conflict", "DuplicateName")
NOT_BY_A_FORM = (
    "register: ", "names: 7 names", "7 names for", "7 notes for", "str(error)", "_why_not", "7 7",
    "there is no model to ask",
    "the model has no inputs", "7 must be a number", "7 rows", "7: ",
    "nothing was imported: 7",
)  # fmt: skip


def test_each_message_of_a_form_has_a_translation() -> None:
    found = {said for path in FILES for said in messages_in(path, *KINDS)}
    found = {said for said in found if not said.startswith(NOT_BY_A_FORM)}
    assert len(found) > 25, "the messages were not found"
    assert [said for said in sorted(found) if refusal_text(PT, said) == said[:1].upper() + said[1:]] == []


@pytest.mark.parametrize(
    ("said", "in_portuguese"),
    [
        ("from: 'ontem' is no time; write it as 2026-11-25T06:00", "De: “ontem” não é um horário."),
        ("to (2001-11-26T10:00:00.000Z) is not after from (2001-11-26T11:00:00.000Z); a period ends after it starts, "
         "and its end is not part of it", "O fim, 26 nov. 2001 10:00, não vem depois do início"),
        ("the share to find, in percent, must be a number above 0 and up to 100, and is '1.234'; nothing was started",
         "A parcela a encontrar deve ser um número acima de 0 e até 100, e é '1.234'."),
        ("this needs a key of the role operator; key 4f2a has the role viewer", "Isto precisa de uma chave"),
        ("nothing was imported: this label is in the list already, as 7f", "Nada foi importado. Este rótulo já está"),
        (FULL, "A lista de rótulos está cheia."),
        ("orders.csv: no column says device; it has a, b. Name it with columns device=COLUMN",
         "Nenhuma coluna indica: Dispositivo."),
        ("orders.csv has no rows below its header", "A tabela não tem linhas."),
        ("orders.csv: '03/04/2026' can be day and month in two orders; write it as 2026-12-31",
         "'03/04/2026' pode ser"),
        ("Redis does not answer: Timeout reading from socket", "O Redis não responde"),
        ("body.metric: Input should be 'F1'", "O campo metric falta ou tem um valor"),
        ("why: 2100 characters, at most 2000", "O motivo tem 2.100 caracteres; pode ter 2.000."),
    ],
)  # fmt: skip
def test_a_message_is_translated_with_its_parts(said: str, in_portuguese: str) -> None:
    assert refusal_text(PT, said).startswith(in_portuguese), refusal_text(PT, said)
    assert refusal_text(EN, said) == said[0].upper() + said[1:]


def test_an_unknown_message_stays_as_it_is() -> None:
    assert refusal_text(PT, "what a later version says") == "What a later version says"
