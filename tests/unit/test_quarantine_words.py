"""Why a message is in quarantine can be said in Portuguese, whatever the reason."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from datetime import timezone
from pathlib import Path

import pytest

from admin.console.language import language
from admin.console.quarantine.words import reason_text, translated
from ingest.loop import NO_WINDOW
from tests.unit.test_quarantine_reasons import NOW, refused_by
from zelador.decode.json_reader import not_json
from zelador.labels.message import NOT_STORED, OFF, TOO_MANY, LabelMessages
from zelador.settings import Settings

ROOT = Path(__file__).parents[2]
PT = language("pt-BR", timezone.utc)
EN = language("en", timezone.utc)
ELSEWHERE = {  # sentences that are made of another's, which the examples below cover
    "7: 7", "7 is 7", "not_json(error)", "not_json(second)", "str(error)", "self._wrong(ts, moment, received_at)",
    "why", "next(filter(None, map(objection, values, self._features, self._ranges.fields)))", "OFF", "TOO_MANY",
}  # fmt: skip


def messages_in(path: Path, *names: str) -> Iterator[str]:
    """The message of each exception of these classes that a file raises, with samples in its gaps."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
            yield sample(node.args[0])


def reasons_in_the_code() -> Iterator[str]:
    """Each reason that is raised for a message, with samples in its gaps."""
    for folder in ("zelador", "ingest"):
        for path in (ROOT / folder).rglob("*.py"):
            yield from messages_in(path, "Unusable")


def sample(node: ast.expr) -> str:
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(sample(part) for part in parts)
        case ast.FormattedValue(value=ast.Name(id="FORMS")):
            return "ISO 8601 (…)"
        case ast.FormattedValue(value=ast.Call(func=ast.Name(id="_hint"))):
            return ""
        case ast.FormattedValue(value=ast.Call(func=ast.Name(id="counted" | "with_noun")) as call):
            return sample(call)
        case ast.FormattedValue(value=ast.IfExp(orelse=ast.Constant(value=str(text)))):
            return text
        case ast.Call(func=ast.Name(id="counted" | "with_noun"), args=[_, *nouns]):
            return f"7 {sample(nouns[1])}" if len(nouns) > 1 else f"7 {sample(nouns[0])}s"
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return sample(left) + sample(right)
        case ast.FormattedValue(conversion=conversion):
            return "'7'" if conversion == ord("r") else "7"
        case ast.Subscript(value=inside):
            return sample(inside)
        case _:
            return ast.unparse(node)


def test_each_reason_in_the_code_has_a_translation() -> None:
    found = {reason for reason in reasons_in_the_code() if reason not in ELSEWHERE}
    assert len(found) > 25, "the reasons were not found"
    assert [reason for reason in sorted(found) if not translated(PT, reason)] == []


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (b'{"lux": 1, "temperature": 5}', "Vibração está ausente; a mensagem tem lux, temperature"),
        (b"{}", "Lux está ausente; a mensagem está vazia"),
        (b'{"lux": 1e9, "temperature": 45, "vibration": 0.4}', "Lux é 1.000.000.000 lx, fora de 0 a 200.000"),
        (b'{"lux": 4, "temperature": "21,5", "vibration": 0}', 'Temperatura é o texto "21,5"; é preciso um número com'),
        (
            b'{"lux": 4, "temperature": "ON", "vibration": 0}',
            'Temperatura é o texto "ON"; é preciso um número. A opção',
        ),
        (b'{"lux": 4, "temperature": [1], "vibration": 0}', "Temperatura é uma lista; é preciso um número. Um perfil"),
        (b'{"lux": 4, "temperature": null, "vibration": 0}', "Temperatura é null; é preciso um número"),
        (b'{"lux": 4, "temperature": NaN, "vibration": 0}', "Temperatura é NaN; é preciso um número finito"),
        (b'{"lux": 4, "temperature": 4, "vibration": 0, "ts": "x"}', 'ts é o texto "x"; deve ser um horário'),
        (b'{"lux": 4, "temperature": 4, "vibration": 0, "ts": 1}', "ts é o número 1, antes do ano 2000"),
        (b'{"lux": 4, "temperature": 4, "vibration": 0, "ts": 999999999999}', "ts é 2001-09-09T01:46:39.999Z, mais de"),
        (b'{"lux": 4, "temperature": 4, "vibration": 0, "ts": 9e12}', "ts é 2255-03-14T16:00:00.000Z, mais de"),
        (b'{"lux": 4, "temperature": 4, "vibration": 0, "ts": 9e20}', "ts é depois do ano 9999, mais de"),
        (b'{"lux": 4, "temperature": 4, "vibration": 0, "seq": "x"}', 'seq é o texto "x"; é preciso um número inteiro'),
        (b'{"lux": 4, "temperature": 4, "vibration": 0, "id": []}', "id é uma lista; é preciso um texto ou um número"),
        (b'{"lux": 4, "temperature": 4, "vibration": 0, "label": {}}', "label é um objeto; deve ser um texto"),
        (b'{"lux": 1, "temperature": <b>', "Não é JSON, a partir do byte 26"),
        (b'{"lux": 1, "temperature": 1e999}', "Um número é grande demais: o maior que pode ser lido é 1,8e308"),
        (b'{"lux": 1', "Não é JSON: falta o fim"),
        (b'{"lux\xff": 1}', "Não é JSON"),
        (b"[" * 100_000, "Não é JSON: aninhado demais"),
        (b"7", "A mensagem é o número 7; uma leitura é um objeto"),
        (b"[]", "A lista está vazia"),
        (b" " * 2_000_000, "A mensagem tem 2.000.000 bytes, mais que 1.048.576"),
        (b"[" + b"7," * 200 + b"7]", "201 elementos de uma lista; o primeiro: A mensagem é o número 7; uma"),
    ],
)
def test_a_reason_of_the_decoder_is_translated(payload: bytes, said: str) -> None:
    reason = refused_by(payload)
    assert reason_text(PT, reason).startswith(said), reason
    english = reason_text(EN, reason)
    assert english.casefold() == reason.casefold() or "Not JSON" in english or ", outside " in english
    assert "codec" not in english and "malformed" not in english  # a parser's own words are shown beside it


@pytest.mark.parametrize(
    "payload",
    [
        b"x", b"7", b'{"from": "x"}', b'{"to": 1}', b'{"from": 1}', b'{"from": "2026-01-01T00:00:00Z", "label": {}}',
        b'{"from": "2026-11-26T00:00:00Z", "note": 1}', b'{"from": "2026-11-26T00:00:00Z", "id": []}',
        b'{"from": "2026-11-26T00:00:00Z"}', b'{"from": "2026-11-26T00:00:00Z", "to": "2026-11-25", "label": 1}',
        b'{"from": "2026-11-26T00:00:00Z", "label": "%s"}' % (b"y" * 300), b"x" * 2_000,
        b'{"from": "2026-11-26T00:00:00Z", "label": 1, "id": " x"}',
    ],
)  # fmt: skip
def test_a_reason_of_a_label_is_translated(payload: bytes) -> None:
    from zelador.decode.unusable import Unusable

    with pytest.raises(Unusable) as refused:
        LabelMessages(Settings()).read("sensors/press-07/label", payload, NOW)
    assert translated(PT, str(refused.value)), str(refused.value)


@pytest.mark.parametrize(
    "reason",
    [
        OFF, TOO_MANY, NO_WINDOW, *NOT_STORED.values(), not_json(RecursionError()),
        "vibration: the unit 'furlong' is not known; units are °C, K", "temperature: lx cannot be converted to °C",
        "the id 'a' came before, with other content (ZELADOR_INGEST__UNIQUE_IDS)", "the stream entry cannot be decoded",
        "the model small needs current, which the reading does not have", "the model small failed: ValueError: x",
        "the broker refused the prediction: Not authorized", "nothing names the device: dev.id",
        "given to a worker 5 times and never finished: each time the worker died first, because of this reading, of "
        "another one in the same entry, or for another reason",
        "its prediction is larger than the 4096 bytes that the broker or ZELADOR_MQTT__PACKET_BYTES allow",
        "no prediction can be published for the device 'a+': of the topic, it has a wildcard, a control character or a "
        "non-character",
    ],
)  # fmt: skip
def test_a_reason_of_another_part_is_translated(reason: str) -> None:
    said = translated(PT, reason)
    assert said, reason
    assert not re.search(r"\b(the|is|of)\b", said), said


def test_an_unknown_reason_stays_as_it_is() -> None:
    assert reason_text(PT, "what a later version says") == "What a later version says"


def test_a_number_below_zero_has_a_minus_and_a_key_of_the_message_its_own_name() -> None:
    outside = "temperature is -250.5 °C, outside -100 to -50"
    assert reason_text(EN, outside) == "Temperature is −250.5 °C, outside −100 to −50"
    assert reason_text(PT, outside) == "Temperatura é −250,5 °C, fora de −100 a −50"
    huge = "temperature is 9e+09 °C, outside -100 to 1000"
    assert reason_text(EN, huge) == "Temperature is 9,000,000,000 °C, outside −100 to 1,000"
    assert reason_text(PT, huge) == "Temperatura é 9.000.000.000 °C, fora de −100 a 1.000"
    assert reason_text(EN, "temperature is -1e+20, outside -100 to 1000").startswith("Temperature is −1e+20, outside")
    assert reason_text(EN, "ts is 2026-11-24, which is before").startswith("ts is 2026-11-24")
