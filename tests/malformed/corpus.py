"""Hand-picked payloads, by kind, each with the expected number of accepted and refused readings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

GOOD = {"lux": 120.5, "temperature": 21.25, "vibration": 0.125}
TEXT = '"lux":1,"temperature":2,"vibration":0'
DEEP = 100_000
TEN_MEGABYTES = 10_485_760


@dataclass(frozen=True, slots=True)
class Sample:
    """A payload. `good` and `refused` are expected numbers of readings; None if unknown."""

    kind: str
    payload: bytes
    good: int | None = None
    refused: int | None = None


def corpus() -> list[Sample]:
    """All samples, except for those of 10 MB."""
    samples = [Sample("good", json.dumps(message).encode(), 1, 0) for message in _good()]
    samples += [Sample(kind, payload, 0, 1) for kind, payload in _refused()]
    samples += [Sample("good", payload, 1, 0) for payload in _odd_but_good()]
    return [*samples, *_arrays()]


def ten_megabytes() -> list[Sample]:
    """Payloads above the limit: refused unread, even if they begin well."""
    good = b"{" + TEXT.encode() + b"}"
    return [
        Sample("10 MB", b" " * (TEN_MEGABYTES - len(good)) + good, 0, 1),
        Sample("10 MB", b"[" + good + (b"," + good) * (TEN_MEGABYTES // (len(good) + 1)) + b"]", 0, 1),
        Sample("10 MB", b"[" * TEN_MEGABYTES, 0, 1),
        Sample("10 MB", b"\xff\x00" * (TEN_MEGABYTES // 2), 0, 1),
    ]


def _good() -> Iterator[dict[str, object]]:
    yield GOOD
    yield {**GOOD, "ts": "2026-11-23T10:00:00Z", "seq": 17, "id": "press-07-000017", "label": "yes"}
    yield {**GOOD, "id": 17, "label": 1}
    yield {**GOOD, "id": "né-😀-日本", "label": True, "unknown": {"deep": [1, [2, [3]]]}}
    yield {**GOOD, "id": '"readings":[]', "label": "],[}{"}
    yield {"lux": 0, "temperature": -100, "vibration": 1_000}
    yield {**GOOD, "ts": None, "seq": None, "id": None, "label": None}
    yield {**GOOD, "seq": 2**70, "id": "x" * 128}


def _odd_but_good() -> Iterator[bytes]:
    """Valid JSON that looks odd, also as C or Windows write it."""
    yield b"{" + TEXT.encode() + b"}\0"
    yield ("{" + TEXT + ',"id":"é😀"}').encode("utf-8-sig")
    yield b"{" + TEXT.encode() + b',"seq":"1.0"}'
    yield b'{"lux":-0,"temperature":-0.0,"vibration":-0e0}'
    yield b'{"lux":1e-999,"temperature":1E2,"vibration":0.' + b"1" * 10_000 + b"}"
    yield b'{"lux":-5,"lux":7,"temperature":2,"vibration":0}'  # of a duplicate key, the last one counts
    yield b" \t\r\n{" + TEXT.encode() + b"}\n"
    yield b'{"\\u006cux":1,"temperature":2,"vibration":0,"":""}'
    yield b"{" + TEXT.encode() + b',"id":"\\ud83d\\ude00"}'
    yield b"{" + TEXT.encode() + b',"x":"\xff\xfe"}'  # an unused key is ignored, with its bytes
    yield b"{" + TEXT.encode() + b',"x":NaN,"y":[-nan,inf]}'
    yield b"{" + TEXT.encode() + b',"id":"","label":"","ts":" ","seq":""}'
    yield b"{" + TEXT.encode() + b',"id":1.5,"label":NaN,"seq":"17"}'
    yield b"{" + TEXT.encode() + b',"x":' + b"[" * 500 + b"]" * 500 + b"}"


def _refused() -> Iterator[tuple[str, bytes]]:
    whole = json.dumps({**GOOD, "ts": "2026-11-23T10:00:00Z", "seq": 17, "id": "é", "label": "yes"}).encode()
    yield from (("truncated", whole[:at]) for at in range(1, len(whole), 7))
    yield from (("not JSON", payload) for payload in NOT_JSON)
    yield from (("not a number", _with(f'"lux":{value},"temperature":2,"vibration":0')) for value in NOT_NUMBERS)
    yield from (("wrong shape", payload) for payload in WRONG_SHAPE)
    yield from (("wrong ts", _with(f'{TEXT},"ts":{value}')) for value in WRONG_TS)
    yield from (("wrong id", _with(f'{TEXT},"id":{value}')) for value in WRONG_IDS)
    yield from (("wrong label", _with(f'{TEXT},"label":{value}')) for value in WRONG_IDS[:4])
    yield from (("wrong seq", _with(f'{TEXT},"seq":{value}')) for value in WRONG_SEQ)
    text = "{" + TEXT + ',"id":"é😀"}'
    yield from (("encoding", text.encode(name)) for name in ("utf-16", "utf-16-le", "utf-16-be", "utf-32"))
    yield "encoding", text.replace("😀", "").encode("latin-1")
    yield from (
        ("encoding", _raw_id(raw)) for raw in (b"\xc0\xaf", b"\xe0\x80\xaf", b"\xed\xa0\x80", b"\xf0\x9f", b"\x80")
    )
    for opening, closing in (("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")):
        yield "deep", (opening * DEEP).encode()
        yield "deep", (opening * DEEP + "1" + closing * DEEP).encode()
    yield "deep", _with(f'{TEXT},"x":{"[" * DEEP}{"]" * DEEP}')
    yield "deep", b"[{" + TEXT.encode() + b"}," + b"[" * DEEP + b"]" * DEEP + b"]"


def _arrays() -> Iterator[Sample]:
    good = _with(TEXT)
    yield Sample("array", b"[" + good + b"]", 1, 0)
    yield Sample("array", b" [" + good + b"," + good + b" ]\n", 2, 0)
    yield Sample("array", b"[" + b",".join([good] * 300) + b"]", 300, 0)
    yield Sample("partly", b"[" + b",".join([good, b"1", b"null", b"[]", b'"x"', good, b'{"lux":1}']) + b"]", 2, 5)
    yield Sample("partly", b"[" + good + b",[" + good + b"]]", 1, 1)
    yield Sample("partly", b"[" + good + b',"\xff"]', 1, 1)
    yield Sample("partly", b"[" + _raw_id(b"\xff") + b"," + good + b"]", 1, 1)
    yield Sample("no good element", b"[[],[[]],{},0,-0,true,1e999]", 0, 7)
    yield Sample("no good element", b"[" + b",".join([b"1"] * 300) + b"]", 0, 300)
    yield Sample("unreadable array", b"[]", 0, 1)
    yield Sample("unreadable array", b"[" + good + b",]", 0, 1)
    yield Sample("unreadable array", b"[" + good + b"]" + good, 0, 1)
    yield Sample("unreadable array", b"[" + good + b"," + good, 0, 1)
    yield Sample("unreadable array", b"[" + good + b',"NaN]', 0, 1)
    yield Sample("partly", b"[" + good + b",NaN,{" + TEXT.replace("1", "-nan", 1).encode() + b"}," + good + b"]", 2, 2)
    yield Sample("unreadable array", b"[" + b",".join([b"1"] * 10_001) + b"]", 0, 1)


def _with(body: str) -> bytes:
    return b"{" + body.encode("utf-8", "surrogatepass") + b"}"


def _raw_id(raw: bytes) -> bytes:
    return b"{" + TEXT.encode() + b',"id":"' + raw + b'"}'


NOT_JSON = (
    b" ", b"\0", b"\0" * 1_000, bytes(range(256)), b"lux=3;temperature=2", b"<xml/>", b"nan", b"'", b"{", b"}",
    b"]", b"{]", b"{{}}", b"{'lux':1}", b"{lux:1}", b'{"lux":1,}', b'{"lux" 1}', b'{"lux":01}', b'{"lux":+1}',
    b'{"lux":.5}', b'{"lux":1.}', b'{"lux":0x1}', b"{" + TEXT.encode() + b"}\0}",
    b"{" + TEXT.encode() + b"}{" + TEXT.encode() + b"}", b"{" + TEXT.encode() + b"} // why",
    b"{" + TEXT.encode() + b',"id":"a\x01b"}', b"{" + TEXT.encode() + b',"id":"a\nb"}',
    b"{" + TEXT.encode() + b',"id":"\\x41"}', b"\x1f\x8b\x08\x00\x00\x00\x00\x00", b"\x89PNG\r\n\x1a\n",
    b"\x83\xa3lux\x01", b"x" * 900_000, b'"' + b"\\" * 10_000,
)  # fmt: skip
NOT_NUMBERS = (
    "NaN", "Infinity", "-Infinity", "nan", "inf", "1e999", "-1e999", "1E400", "9" * 400, "-" + "9" * 5_000, "null",
    "true", "false", '"1"', '""', "[]", "[1]", "{}", "-1", "-1e-300", "200000.01", "1e308",
)  # fmt: skip
WRONG_SHAPE = (
    b"null", b"true", b"0", b"-0", b"1e5", b"1e999", b'"text"', b"{}", b'{"lux":1}', b'{"lux":1,"temperature":2}',
    b'{"LUX":1}', b'{"lux":1,"temperature":2,"vibration":0,"vibration":null}',
    b'{"reading":{"lux":1,"temperature":2,"vibration":0}}',
)  # fmt: skip
WRONG_TS = (
    '"yesterday"', '"-"', "NaN", '"2026-13-45T99:99:99"', '"2999-01-01"', '"1999-12-31T23:59:59Z"',
    '"0001-01-01T00:00:00+23:59"', '"9999-12-31T23:59:59.999999-23:59"', '"２０２６-11-24"', '"\\ud800"', "5", "-5",
    "0", "-1e300", "1e300", "1e999", "1e18", "9" * 400, "9" * 5_000, "true", "[]", "{}", '"' + "2" * 100_000 + '"',
    '"2026-11-24T10:00:00Z\\u0000"', '"2026-11-24T10:00:00Z\\u0000or so"', '"2026-11-24\\u000010:00:00"',
    '"2026-11-24\\ud83d\\ude0010:00:00"',
)  # fmt: skip
WRONG_SEQ = ("1.5", '"one"', '"1.5"', "[]", "true", "9" * 5_000)
WRONG_IDS = (
    '"' + "x" * 129 + '"', '"a\\u0000"', '"a\\u001fb"', '"\\ud800"', '"a\\u202eb"', "true", "[]", "{}",
    '"' + "x" * 100_000 + '"', "9" * 129, "9" * 5_000, '"\\udfff\\ud800"',
)  # fmt: skip
