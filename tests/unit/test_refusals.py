"""Whatever the product refuses on a page of the console is said in the reader's language, in the plant's time."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from admin.console.labels.table_words import note_text
from admin.console.language import language
from admin.console.refusals import refusal_text, translated_refusal
from admin.console.training.words import data_advice, data_text
from archive.dataset.description import Finding
from operations.acts.labels import FULL
from tests.unit.test_quarantine_words import ROOT, messages_in, sample
from zelador.alarms.store import OBJECTIONS
from zelador.table.unpack import NO_TABLES

PT = language("pt-BR", ZoneInfo("America/Sao_Paulo"))
EN = language("en", ZoneInfo("America/Sao_Paulo"))
KINDS = (
    "InvalidInput", "NotFound", "Conflict", "DuplicateName", "ModelNotFound", "FeaturesMissing", "ModelSelected",
    "ChangedMeanwhile", "UploadCollected", "TypeRefused", "BundleRefused",
)  # fmt: skip
FLOORS = ("operations", "registry", "zelador", "archive", "admin/console")
# Modules whose refusals no page of the console shows. A new module is not among them.
ELSEWHERE = {
    "only commands and the API": (
        "operations/acts/evaluations.py", "operations/device_passwords.py", "operations/sign_in_links.py",
        "operations/views/datasets.py", "operations/views/differences.py", "operations/views/stream.py",
        "registry/evaluation", "registry/functions.py", "registry/listing.py", "registry/model/rows.py",
        "registry/registry.py", "zelador/labels/past.py", "archive/archive.py", "archive/dataset/cache.py",
        "archive/dataset/export.py", "archive/dataset/sample.py", "archive/dataset/tables.py", "archive/state.py",
    ),
    "old models, by a command": ("registry/adopt", "registry/legacy", "registry/cage/convert.py"),
    "tables to train on, by a command": (
        "zelador/table/columns.py", "zelador/table/numbers.py", "zelador/table/read.py",
    ),
    "the start of a process": (
        "registry/restored", "registry/signing.py", "registry/store", "zelador/settings", "zelador/user.py",
    ),
    "quarantine, which has words of its own": ("zelador/labels/message.py",),
    "a damaged manifest, which is said as a whole": ("registry/model/manifest_shape.py", "registry/model/manifest.py"),
}  # fmt: skip
OF_OTHERS = {  # the text of another error, or of a table, which are checked below or where they are made
    "7", "7 7", "7: 7", "7: 7 7", "7 is 7", "str(error)", "reason", "why", "_why_not(outcome, label)",
    "_why_not('known', same)",
    "str(error).partition('; restore it')", "selected_is_not_renamed(name)", "selected_is_not_renamed(model.name)",
    "OPTION.sub('\\\\1', str(error).replace(str(path), source))", "7 is 7; write it as 2026-11-24T14:00:00Z, or as an "
    "epoch in s or ms", "path",
}  # fmt: skip
NOT_BY_A_PAGE = (
    "register: ", "names: 7 names", "7 names for", "7 notes for", "a key must expire", "the model has no inputs",
    "run 7 has no models to compare", "7 must be a whole number", "source must be", "arrived_to must be",
    "'7' is not a key of a data set", "'7' is named twice among the features", "7 must be a time",
    "7 must be a list of", "7 must have texts", "to (7) is not after", "7 does not say ", "7 must be a number",
    "7 contains the files",
    "7 has no file", "candidate 7 of run 7 has no file", "there is no data set",
)  # fmt: skip


def modules() -> Iterator[Path]:
    elsewhere = tuple(name for names in ELSEWHERE.values() for name in names)
    for floor in FLOORS:
        for path in sorted((ROOT / floor).rglob("*.py")):
            if not str(path.relative_to(ROOT)).startswith(elsewhere):
                yield path


def test_each_refusal_of_a_lower_floor_can_be_said_in_portuguese() -> None:
    """Fails for a new message, a new module, or words that were changed on one side only."""
    found = {said: path for path in modules() for said in messages_in(path, *KINDS)}
    found = {said: path for said, path in found.items() if said not in OF_OTHERS and not said.startswith(NOT_BY_A_PAGE)}
    assert len(found) > 120, "the messages were not found"
    assert [f"{path}: {said}" for said, path in sorted(found.items()) if not translated_refusal(PT, said)] == []
    assert [said for said in sorted(found) if translated_refusal(PT, said) == translated_refusal(EN, said)] == []


def test_each_module_that_is_left_out_exists() -> None:
    assert [name for names in ELSEWHERE.values() for name in names if not (ROOT / name).exists()] == []


def test_each_objection_to_an_act_and_each_file_that_is_no_table_has_a_translation() -> None:
    said = [f"press-07 {why}" for why in OBJECTIONS.values()] + [f"orders.csv is {what}" for what in NO_TABLES.values()]
    assert [each for each in said if not translated_refusal(PT, each)] == []


def test_each_finding_of_a_data_set_is_said_with_its_figures() -> None:
    sentences = {
        (kind, sample(node.args[1]))
        for name in ("findings.py", "time_checks.py")
        for node in ast.walk(ast.parse((ROOT / "archive" / "dataset" / name).read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding"
        for kind in [sample(node.args[0])]
    }
    assert len(sentences) >= 14
    for kind, sentence in sorted(sentences):
        if kind == "clock":  # its parts are joined
            sentence = "the clock of 7 jumped: it went back 7 times, first at 7"
        said = data_text(PT, Finding(kind, sentence, "", "7", "7"))  # type: ignore[arg-type]
        assert said, sentence
        assert said != data_text(EN, Finding(kind, sentence, "", "7", "7")), sentence  # type: ignore[arg-type]
        assert "7" in said or "7" not in sentence, said


def test_each_note_about_a_table_has_a_translation() -> None:
    for name in ("layout.py", "text.py"):
        for node in ast.walk(ast.parse((ROOT / "zelador" / "table" / name).read_text(encoding="utf-8"))):
            note = None
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "append":
                note = (
                    sample(node.args[0])
                    if isinstance(node.func.value, ast.Name) and node.func.value.id == "notes"
                    else None
                )
            elif isinstance(node, ast.Yield) and isinstance(node.value, ast.Constant | ast.JoinedStr | ast.BinOp):
                note = sample(node.value)
            if note and " " in note:
                assert note_text(PT, note) != f"{note[:1].upper()}{note[1:]}.", note
    assert note_text(PT, "the columns are separated by a semicolon") == "As colunas são separadas por ponto e vírgula."


@pytest.mark.parametrize(
    ("said", "in_english", "in_portuguese"),
    [
        ("from: 'ontem' is not a time; write it as 2026-11-25T06:00", "From: “ontem” is not a time.",
         "De: “ontem” não é um horário."),
        ("to (2001-11-26T12:00:00.000Z) is not after from (2001-11-26T13:00:05.000Z); a period ends after it starts, "
         "and its end is not part of it", "The end, 26 Nov 2001 10:00, is not after the start, 26 Nov 2001 11:00:05.",
         "O fim, 26 nov. 2001 10:00, não vem depois do início, 26 nov. 2001 11:00:05"),
        ("until: 2001-01-01T02:00:00.000Z is in the past; name a future time", "1 Jan 2001 00:00 is in the past.",
         "1 jan. 2001 00:00 está no passado."),
        ("the share to find, in percent, must be a number above 0 and up to 100, and is '1.234'; nothing was started",
         "The share to find must be a number", "A parcela a encontrar deve ser um número acima de 0 e até 100, e é"),
        ("this needs a key of the role operator; key 4f2a has the role viewer", "This needs a key of the role operator",
         "Isto precisa de uma chave"),
        ("nothing was imported: this label is in the list already, as 7f", "Nothing was imported. This label is",
         "Nada foi importado. Este rótulo já está"),
        (FULL, "The list of labels is full.", "A lista de rótulos está cheia."),
        ("orders.csv: no column says device; it has a, b. Name it with columns device=COLUMN",
         "No column says which one is: Device. The table has a, b.", "Nenhuma coluna indica: Dispositivo."),
        ("orders.csv has no rows below its header", "The table has no rows.", "A tabela não tem linhas."),
        ("/tmp/x/table is an Excel workbook; save it as CSV", "This is an Excel workbook.", "Isto é uma pasta"),
        ("orders.csv: '03/04/2026' can be day and month in two orders; write it as 2026-12-31",
         "“03/04/2026” can be read in two ways", "“03/04/2026” pode ser"),
        ("Redis does not answer: Timeout reading from socket", "Redis does not answer", "O Redis não responde"),
        ("body.metric: Input should be 'F1'", "This has a value that cannot be used.", "Este valor não pode"),
        ("body.note: String should have at most 2000 characters", "At most 2,000 characters.", "No máximo 2.000"),
        ("query.offset: Input should be a valid integer", "The field offset is missing", "O campo offset falta"),
        ("2026-03-29 02:30 does not exist in Europe/Berlin: the clock skips it; write a time with its zone, such as "
         "2026-03-29 02:30+0100", "2026-03-29 02:30 does not exist", "2026-03-29 02:30 não existe em Europe/Berlin"),
        ("from: 2026-10-25 02:30 exists twice in Europe/Berlin: write it with its zone, 2026-10-25 02:30+0200 or "
         "2026-10-25 02:30+0100", "2026-10-25 02:30 exists twice", "2026-10-25 02:30 existe duas vezes"),
        ("why: 2100 characters, at most 2000", "The reason has 2,100", "O motivo tem 2.100 caracteres"),
    ],
)  # fmt: skip
def test_a_message_is_said_with_its_parts(said: str, in_english: str, in_portuguese: str) -> None:
    assert refusal_text(EN, said).startswith(in_english), refusal_text(EN, said)
    assert refusal_text(PT, said).startswith(in_portuguese), refusal_text(PT, said)


def test_dates_and_names_are_written_as_elsewhere() -> None:
    """English had "Nov 1, 2026" here alone, and the quotes of a program."""
    dates = "until: the last day, 2026-11-01, is before the first, 2026-11-02"
    assert refusal_text(EN, dates) == "The last day, 1 Nov 2026, is before the first, 2 Nov 2026."
    absent = "devices (--devices): in this period the archive has no device 'x', but 'press-01', \"l'atelier\""
    assert refusal_text(EN, absent).endswith("There is: “press-01”, “l'atelier”.")


def test_an_unknown_message_stays_as_it_is() -> None:
    assert refusal_text(PT, "what a later version says") == "What a later version says"


def test_a_finding_is_said_for_people_who_have_no_command_line() -> None:
    small = Finding("small class", "the class wörn has 4 of 900 labeled readings", "leave it out with --classes")
    assert data_advice(EN, small) == "Label more of it. Without enough of it, a run leaves the class out."
    spelled = Finding("label case", "the labels 'Yes' (25) and \"it's\" (3) differ by case or blanks alone", "")
    assert data_text(EN, spelled).startswith("The labels “Yes” (25), “it's” (3) differ")
