"""Tables as other programs write them: each is read as intended, or refused with the reason."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import math
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as parquet
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from zelador.errors import InvalidInput
from zelador.settings import Settings
from zelador.table import Rows, Wanted, read_table
from zelador.table.layout import layout_of

PLAIN = "a,b,label\n1.5,20,x\n2.5,30,y\n"
VALUES = [1.5, 20.0, 2.5, 30.0]


def zipped(**members: str) -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in members.items():
            archive.writestr(name.replace("__", "/"), text)
    return target.getvalue()


def tarred() -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w:gz") as archive:
        archive.addfile(tarfile.TarInfo("a.csv"), io.BytesIO())
    return target.getvalue()


def written(write: Callable[[object, object], None]) -> bytes:
    target = io.BytesIO()
    write(pa.table({"a": [1.5, 2.5], "b": [20, 30], "label": ["x", "y"]}), target)
    return target.getvalue()


def arrow_stream(table: pa.Table, target: io.BytesIO) -> None:
    with pa.ipc.new_stream(target, table.schema) as writer:
        writer.write_table(table)


def read(folder: Path, data: bytes | str, name: str = "table.csv", **wanted: object) -> Rows:
    path = folder / name
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    options = {"features": ("a", "b"), "label": "label", **wanted}
    return read_table(path, Settings(), Wanted(**options))


SAME = {
    "plain": PLAIN,
    "semicolons and decimal commas": "a;b;label\n1,5;20;x\n2,5;30;y\n",
    "tabs": PLAIN.replace(",", "\t"),
    "tabs and decimal commas": "a\tb\tlabel\n1,5\t20\tx\n2,5\t30\ty\n",
    "bars": PLAIN.replace(",", "|"),
    "Markdown": "| a | b | label |\n|---|:-:|---|\n| 1.5 | 20 | x |\n| 2.5 | 30 | y |\n",
    "psql": "  a  | b  | label \n-----+----+-------\n 1.5 | 20 | x\n 2.5 | 30 | y\n",
    "files put together": "\ufeffa,b,label\n1.5,20,x\n\ufeffa,b,label\n2.5,30,y\n".encode(),
    "blanks": "a   b  label\n1.5 20 x\n2.5 30 y\n",
    "Excel says its separator": "sep=;\r\na;b;label\r\n1,5;20;x\r\n2,5;30;y\r\n",
    "Excel says a comma": "sep=,\n" + PLAIN,
    "commas in quotation marks": 'a,b,label\n"1,5","20","x"\n"2,5","30","y"\n',
    "a byte order mark": b"\xef\xbb\xbf" + PLAIN.encode(),
    "UTF-16 with a mark": PLAIN.encode("utf-16"),
    "UTF-16 of the other order": b"\xfe\xff" + PLAIN.encode("utf-16-be"),
    "UTF-16 without a mark": PLAIN.encode("utf-16-le"),
    "UTF-16 big-endian without a mark": PLAIN.encode("utf-16-be"),
    "UTF-32": PLAIN.encode("utf-32"),
    "Windows lines": PLAIN.replace("\n", "\r\n"),
    "old Mac lines": PLAIN.replace("\n", "\r"),
    "no last line break": PLAIN.rstrip(),
    "a comma at the end of each line": "a,b,label\n1.5,20,x,\n2.5,30,y,\n",
    "a comma at the end of every line": PLAIN.replace("\n", ",\n"),
    "two commas at the end": "a,b,label\n1.5,20,x,,\n2.5,30,y,,\n",
    "a comma at the end of some lines": "a,b,label\n1.5,20,x,\n2.5,30,y\n",
    "blanks around cells": "a , b , label \n 1.5 , 20 , x \n 2.5 , 30 , y \n",
    "blank lines": "\n\na,b,label\n\n1.5,20,x\n\n2.5,30,y\n\n",
    "empty rows of a worksheet": PLAIN + ",,\n,,\n",
    "comments above": "# a logger\n# version 3\n" + PLAIN,
    "a header behind a sharp": "#" + PLAIN,
    "the header again": PLAIN.replace("2.5", "a,b,label\n2.5"),
    "a row number without a name": 'a,b,label\n1,1.5,20,x\n2,2.5,30,y\n',
    "a row number with an empty name": ",a,b,label\n0,1.5,20,x\n1,2.5,30,y\n",
    "a row number without a name, and a comma at the end": "a,b,label\n1,1.5,20,x,\n2,2.5,30,y,\n",
    "zeros at the end of a logger's file": PLAIN.encode() + bytes(200),
    "zeros far down": b"a,b,label\n1.5,20,x\n2.5,30,y\n" + b"\n" * 5_000 + bytes(200),
    "the end mark of DOS": PLAIN + "\x1a",
    "R's write.csv2": '"";"a";"b";"label"\n"1";1,5;20;"x"\n"2";2,5;30;"y"\n',
    "InfluxDB's annotations": "#datatype,string,long\n#default,_result,,\n,r,a,b,label\n,,1.5,20,x\n,,2.5,30,y\n",
    "annotations of InfluxDB as wide": "#group,false,true,true\n#default,,,\n,a,b,label\n,1.5,20,x\n,2.5,30,y",
    "lines that Windows ended twice": PLAIN.replace("\n", "\r\r\n"),
    "quoted everything": '"a","b","label"\n"1.5","20","x"\n"2.5","30","y"\n',
    "a line break in a cell": 'a,b,label,note\n1.5,20,x,"one\ntwo"\n2.5,30,y,\n',
    "exponents": "a,b,label\n1.5e0,2E1,x\n+2.5,30.0,y\n",
    "gzip": gzip.compress(PLAIN.encode()),
    "gzip twice over": gzip.compress(PLAIN[:12].encode()) + gzip.compress(PLAIN[12:].encode()),
    "bzip2": bz2.compress(PLAIN.encode()),
    "xz": lzma.compress(PLAIN.encode()),
    "two xz streams": lzma.compress(PLAIN[:12].encode()) + lzma.compress(PLAIN[12:].encode()),
    "zstd": zstandard.compress(PLAIN.encode()),
    "zip": zipped(**{"readings.csv": PLAIN}),
    "zip of a Mac": zipped(**{"readings.csv": PLAIN, "__MACOSX__._readings.csv": "x"}),
    "UTF-16 in gzip": gzip.compress(PLAIN.encode("utf-16")),
    "JSON lines": '{"a": 1.5, "b": 20, "label": "x"}\n\n{"label": "y", "b": 30, "a": 2.5}\n',
    "JSON lines with text": '{"a": "1.5", "b": "20", "label": "x"}\n{"a": "2.5", "b": "30", "label": "y"}',
    "a JSON array": ' [\n{"a": 1.5, "b": 20, "label": "x"},\n{"a": 2.5, "b": 30, "label": "y"}]\n',
    "JSON in gzip": gzip.compress(b'{"a":1.5,"b":20,"label":"x"}\n{"a":2.5,"b":30,"label":"y"}\n'),
    "Parquet": written(parquet.write_table),
    "an Arrow file": written(lambda table, target: feather.write_feather(table, target)),
    "an Arrow file, not compressed": written(lambda t, target: feather.write_feather(t, target, "uncompressed")),
    "an Arrow stream": written(arrow_stream),
}  # fmt: skip


@pytest.mark.parametrize("kind", SAME)
def test_the_same_table_in_many_formats_is_read_the_same(kind: str, tmp_path: Path) -> None:
    found = read(tmp_path, SAME[kind], "no-telling-name")
    assert list(found.values) == VALUES
    assert found.labels == ["x", "y"]


@pytest.mark.parametrize(
    ("text", "values", "note"),
    [
        ("a,b,label\n1.5,NA,x\n,n/a,y\n", [1.5, math.nan, math.nan, math.nan], "2 cells with 'NA', 'n/a' are missing"),
        ("a,b,label\nunavailable,1,x\nunknown,2,y\n", [math.nan, 1, math.nan, 2], "missing values"),
        ("a,b,label\n#DIV/0!,1,x\n-,2,y\n", [math.nan, 1, math.nan, 2], "missing values"),
        ("a;b;label\n#NV;1;x\n#¡DIV/0!;2;y\n", [math.nan, 1, math.nan, 2], "'#NV', '#¡DIV/0!' are missing values"),
        ("a,b,label\nn.a.,1,x\n(null),2,y\n", [math.nan, 1, math.nan, 2], "missing values"),
        ("a,b,label\n1e999,1,x\ninf,2,y\n", [math.nan, 1, math.nan, 2], ""),
        ("a,b,label\n−5,1,x\n5,2,y\n", [-5, 1, 5, 2], ""),
        ('a,b,label\n"1,234.5",1,x\n"12,000",2,y\n', [1234.5, 1, 12000, 2], ""),
        ("a;b;label\n1.234,5;1;x\n12.000;2;y\n", [1234.5, 1, 12000, 2], "decimal commas"),
        ("a;b;label\n1 234,5;1;x\n0,25;2;y\n", [1234.5, 1, 0.25, 2], "decimal commas"),
        ("a;b;label\n1\u00a0234,5;1;x\n0,25;2;y\n", [1234.5, 1, 0.25, 2], "decimal commas"),
        ("a,b,label\n1'234.5,1,x\n2'000,2,y\n", [1234.5, 1, 2000, 2], ""),
        ("a;b;label\n23,125;1;x\n24,375;2;y\n", [23.125, 1, 24.375, 2], "decimal commas"),
        ('a,b,label\n"1,234,567",1,x\n5,2,y\n', [1234567, 1, 5, 2], ""),
        ("a;b;label\n1.234.567;1;x\n5;2;y\n", [1234567, 1, 5, 2], ""),
        ("a,b,label\n1.5,1,x\n,,\n2.5,2,y\n", [1.5, 1, 2.5, 2], "1 row without any value"),
    ],
)  # fmt: skip
def test_numbers_as_people_write_them(text: str, values: list[float], note: str, tmp_path: Path) -> None:
    found = read(tmp_path, text)
    assert list(found.values) == pytest.approx(values, nan_ok=True)
    assert note in " | ".join(found.notes)


@pytest.mark.parametrize(
    ("text", "labels"),
    [
        ("a,b,label\n1,1,1\n1,1,1.0\n1,1,True\n1,1,\n1,1,nan\n", ["1", "1", "1", None, None]),
        ("a;b;label\n1,5;1;1,0\n2,5;1;0,0\n", ["1", "0"]),
        ("a,b,label\n1,1,007\n1,1,=1+2\n1,1,NA\n", ["007", "=1+2", "NA"]),
        ('{"a":1,"b":1,"label":true}\n{"a":1,"b":1,"label":1.0}\n{"a":1,"b":1,"label":null}\n{"a":1,"b":1}\n',
         ["1", "1", None, None]),
    ],
)  # fmt: skip
def test_labels_have_one_meaning(text: str, labels: list[str | None], tmp_path: Path) -> None:
    assert read(tmp_path, text).labels == labels


def test_columns_of_parquet_have_the_meaning_of_a_table(tmp_path: Path) -> None:
    table = pa.table({"a": pa.array([1, None]), "b": [0.5, 1.5], "label": pa.array([1.0, None])})
    parquet.write_table(table, tmp_path / "readings.parquet")
    found = read_table(tmp_path / "readings.parquet", Settings(), Wanted(("a", "b"), "label"))
    assert found.labels == ["1", None]
    assert list(found.values) == pytest.approx([1, 0.5, math.nan, 1.5], nan_ok=True)


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-8"])
def test_names_with_accents_are_read_in_any_encoding(encoding: str, tmp_path: Path) -> None:
    data = "Vibração;b;condição\n1,5;2;má\n2,5;3;boa\n".encode(encoding)
    found = read(tmp_path, data, features=("Vibração", "b"), label="condição")
    assert found.labels == ["má", "boa"]


REFUSED = {
    "empty": ("", "is empty"),
    "a header alone": ("a,b,label\n", "no rows below its header"),
    "no such column": ("a,c,label\n1,2,x\n", "has no column 'b'; it has a, c, label"),
    "no label": ("a,b\n1,2\n", "has no column 'label'"),
    "a column twice": ("a,b,a,label\n1,2,3,x\n", "two columns are named 'a', the 1st and the 3rd"),
    "a name twice in JSON": ('{"a":1,"b":2,"a":3,"label":"x"}\n', "line 1: the name 'a' is listed twice"),
    "text for a number": ("a,b,label\n1,2,x\n1,warm,y\n", "line 3: 'warm' is not a number"),
    "a unit in a cell": ("a,b,label\n1,23.5 °C,y\n", "line 2: '23.5 °C' has a unit"),
    "a formula": ("a,b,label\n1,=A1+2,y\n", "line 2: '=A1\\+2' is not a number"),
    "true for a number": ('{"a":1,"b":true,"label":"x"}\n', "line 1: true is not a number"),
    "a short line": ("a,b,label\n1,2,x\n1,x\n", "line 3: 2 values, the header has 3"),
    "a long line": ("a,b,label\n1,2,x\n1,2,3,4,5\n", "line 3: 5 values, the header has 3"),
    "decimal commas between commas": ("a,b,label\n1,5,2,5,x\n2,5,3,5,y\n", "separate the columns by semicolons"),
    "dots and commas": ('a,b,label\n1.5,2,x\n"2,5",3,y\n', "line 2 has '1.5' and line 3 has '2,5'"),
    "a thousand, or one and a bit": ('a,b,label\n"1,234",2,x\n"2,345",3,y\n', "line 2: '1,234' can be 1234 or 1.234"),
    "a title above": ("Readings of May\n\na,b,label\n1,2,x\n1,2,y\n", "remove the lines above the header"),
    "a title in a worksheet": ("Report;;\n;;\na;b;label\n1,5;2;x\n", "remove the lines above the header"),
    "a web page": ("\n<!DOCTYPE html><html>log in</html>", "a web page"),
    "a row for each value": (",result,_time,_value,_field\n,,2026-01-01,1,a\n", "a row for each value.*pivot it"),
    "states of Home Assistant": ("entity_id,state,last_changed\nsensor.a,1,2026-01-01\n", "a row for each value"),
    "a tar archive": (tarred(), "not a table in text form"),
    "a footer": ("a,b,label\n1,2,x\n(1 row)\n", "it is the last line: remove the lines below the table"),
    "a row of units": ("a,b,label\nlx,,\n1,2,x\n", "line 2: 'lx' is not a number.* if this line has units"),
    "a row of totals": ("a,b,label\n1,2,x\nTotal,2,\n", "line 3: 'Total' is not a number.* a summary: remove"),
    "percent": ("a,b,label\n45%,2,x\n", "'45%' has a unit"),
    "another order further down": ("a,b,label\n1,2,x\nb,a,label\n2,1,x\n", "line 3 is a header again"),
    "an open quotation mark": ('a,b,label\n1,2,"x\n' + "1,2,y\n" * 40_000, "quotation mark not closed"),
    "an Excel workbook": (zipped(**{"[Content_Types].xml": "", "xl__workbook.xml": ""}), "an Excel workbook"),
    "an old Excel workbook": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "an Excel workbook"),
    "a zip of two": (zipped(**{"a.csv": PLAIN, "b.csv": PLAIN}), "holds 2 files"),
    "a picture": (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "not a table in text form"),
    "a pickle": (b"\x80\x04\x95" + bytes(60), "a pickle"),
    "an unfinished gzip": (gzip.compress(PLAIN.encode() * 50)[:-9], "is it complete"),
    "an unfinished xz": (lzma.compress(PLAIN.encode() * 50)[:-20], "is it complete"),
    "a broken zip": (zipped(**{"a.csv": PLAIN})[:60], "broken zip file"),
    "a broken Parquet file": (written(parquet.write_table)[:100], "cannot be read"),
    "an unfinished Arrow file": (written(arrow_stream)[:-300], "cannot be read"),
    "JSON that is none": ('{"a":1,"b":2,"label":"x"}\n{"a":1,\n', "line 2: not JSON"),
    "JSON of another kind": ('{"a":1,"b":2,"label":"x"}\n[1,2]\n', "line 2: .* is not a JSON object"),
    "JSON too deep": ('{"a":' * 100_000, "nested too deep"),
    "a huge line": ("a,b,label\n" + "1," * 600_000, "more than 1048576 characters"),
    "too many columns": (",".join(f"c{i}" for i in range(10_001)) + "\n", "10001 columns, more than"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_a_table_that_cannot_be_read_is_refused_with_the_cause(kind: str, tmp_path: Path) -> None:
    data, says = REFUSED[kind]
    with pytest.raises(InvalidInput, match=says) as caught:
        read(tmp_path, data)
    assert "\n" not in str(caught.value)


def test_an_unused_column_may_occur_twice(tmp_path: Path) -> None:
    assert list(read(tmp_path, "a,b,c,c,label\n1,2,3,4,x\n").values) == [1.0, 2.0]


@pytest.mark.parametrize(
    "pack",
    [gzip.compress, bz2.compress, lzma.compress, zstandard.compress, lambda data: zipped(**{"a.csv": data.decode()})],
)
@pytest.mark.parametrize("line", [b"\n", b"1,2,x\n"])
def test_a_small_file_that_unpacks_to_too_much_is_refused(
    pack: Callable[[bytes], bytes], line: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zelador.table.unpack.FREE_BYTES", 100_000)
    with pytest.raises(InvalidInput, match="unpacks to more than 250 times its size"):
        read(tmp_path, pack(b"a,b,label\n" + line * 2_000_000))


def test_a_file_that_needs_too_much_memory_to_unpack_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("zelador.table.unpack.MAX_WINDOW", 1 << 20)
    with pytest.raises(InvalidInput, match="cannot be read or unpacked"):
        read(tmp_path, lzma.compress(PLAIN.encode()))


@given(data=st.one_of(st.binary(max_size=400), st.text(alphabet='a,b;"\n\t1.5 x{}[]:#=', max_size=200).map(str.encode)))
def test_any_bytes_are_read_or_refused(data: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp()
    for head in (b"", b"a,b,label\n"):
        try:
            found = read(folder, head + data, "any")
        except InvalidInput:
            continue
        assert len(found.values) == 2 * len(found) == 2 * len(found.labels)


@pytest.mark.parametrize(
    "text",
    [
        "# from the logger\n\na,b\n1,2\n",
        "# from the logger\n\n# shift 2\n\n\na,b\n1,2\n",
        "# a,b\n\n1,2\n",
        "sep=;\n\na;b\n1;2\n",
        "\n# from the logger\n \t\na,b\n1,2\n",
    ],
)
def test_a_blank_line_between_comments_and_header_is_passed_over(text: str) -> None:
    found = layout_of(iter(text.splitlines(keepends=True)), "it")
    assert (found.header, found.width) == (("a", "b"), 2)


def test_a_first_line_that_is_no_row_is_refused() -> None:
    with pytest.raises(InvalidInput, match="line 1 cannot be split into cells"):
        layout_of(iter(["a\rb,c\n", "1,2\n"]), "it")
