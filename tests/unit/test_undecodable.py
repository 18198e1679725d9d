"""Text that is not UTF-8, where JSON or MessagePack is read: msgspec raises UnicodeDecodeError, no error of its own.

It went past every handler that names only msgspec's errors: one message ended `zelador watch`, and one file of a model
from elsewhere made its page an internal error.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from archive.dataset import cache
from operations import device_passwords, last_use, sign_in_links
from operations.key_file import KeyFile, list_keys
from operations.views.report import report_of
from registry.errors import ModelRefused
from registry.model import golden
from registry.registry import Registry
from tests.small_models import upload
from zelador.buffer.entry import decode_arrivals
from zelador.errors import Corrupt

ROOT = Path(__file__).parents[2]
PRODUCT = ("zelador", "registry", "archive", "operations", "admin", "ingest", "inference", "trainer", "command")
BAD = b'{"keys":[{"id":"\xff"}],"devices":[{"name":"\xff"}],"classes":["\xff"],"id":"\xff","\xff":"x"}'


def test_every_handler_of_undecodable_bytes_knows_of_text_that_is_not_utf_8() -> None:
    handler = re.compile(r"^ *except [^\n]*msgspec\.(?:DecodeError|MsgspecError)[^\n]*:", re.MULTILINE)
    files = [path for folder in PRODUCT for path in (ROOT / folder).rglob("*.py")]
    found = [f"{path}: {line[0].strip()}" for path in files for line in handler.finditer(path.read_text())]
    assert len(files) > 500
    assert [each for each in found if not re.search("UnicodeError|ValueError|UNDECODABLE", each)] == []


def test_files_that_are_not_text_are_damaged_or_as_if_they_were_not_there(tmp_path: Path) -> None:
    keys = tmp_path / "keys.json"
    for name in ("keys.json", "keys-used.json", "sign-in-links.json", device_passwords.FILE, cache.META):
        (tmp_path / name).write_bytes(BAD)
    for read in (lambda: list_keys(keys), lambda: KeyFile(keys).known("zlk_x")):
        with pytest.raises(Corrupt, match=r"keys\.json is damaged"):
            read()
    with pytest.raises(Corrupt, match=r"device-passwords\.json is damaged"):
        device_passwords.read(device_passwords.file_of(tmp_path))
    assert last_use.read(last_use.where(keys)) == {}
    last_use.LastUse(keys).write("4f2a91c0")
    assert set(last_use.read(last_use.where(keys))) == {"4f2a91c0"}
    sign_in_links.where(keys).write_bytes(b'[{"digest":"\xff"}]')
    assert sign_in_links.take_link(keys, "token") is None
    assert cache._read(tmp_path) is None


def test_a_key_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(Corrupt, match=r"keys\.json cannot be read \(Is a directory\)"):
        (tmp_path / "keys.json").mkdir()
        KeyFile(tmp_path / "keys.json").known("zlk_x")


def test_a_model_whose_report_is_not_text_has_no_report(tmp_path: Path) -> None:
    registry = Registry.open(tmp_path)
    given: Any = upload()
    given.report["report.json"] = BAD
    registry.save("odd", given, by="test")
    assert report_of(registry, "odd") is None


def test_golden_rows_that_are_not_text_refuse_the_model() -> None:
    class Model:
        name, features, classes = "odd", ("lux",), ("no", "yes")

    with pytest.raises(ModelRefused, match=r"golden\.json cannot be read"):
        golden.check(Model(), b'{"rows":[],"labels":["\xff"],"probabilities":null}')  # type: ignore[arg-type]


def test_an_entry_of_the_stream_that_is_not_text_is_set_aside() -> None:
    assert decode_arrivals(b'[{"device_id":"\xff","readings":[],"received_at":0}]') is None
