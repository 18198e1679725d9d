"""`zelador keys`: keys are created, listed and revoked in a separate file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from command.keys import app
from operations.key_file import KeyFile
from zelador.errors import Conflict, InvalidInput, NotFound


def run(home: Path, *arguments: str) -> str:
    result = CliRunner().invoke(app, [*arguments, "--home", str(home)], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_a_key_is_shown_once_and_its_digest_kept(tmp_path: Path) -> None:
    key = run(tmp_path, "new").strip()
    found = json.loads(run(tmp_path, "new", "--role", "viewer", "--expires", "12h", "--note", "[b]wall", "--json"))
    known = KeyFile(tmp_path / "keys.json")
    assert known.known(key).role == "admin"
    assert known.known(found["key"]).id == found["id"]
    assert (found["role"], found["note"]) == ("viewer", "[b]wall")
    listed = json.loads(run(tmp_path, "list", "--json"))
    assert [(each["role"], each["state"]) for each in listed] == [("admin", "valid"), ("viewer", "valid")]
    assert listed[1]["expires_at"] > listed[1]["created_at"]
    shown = run(tmp_path, "list")
    assert "[b]wall" in shown
    assert key not in shown + json.dumps(listed) + (tmp_path / "keys.json").read_text()
    assert f"revoked {found['id']}" in run(tmp_path, "revoke", found["id"])
    assert known.known(found["key"]).state == "revoked"
    trail = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert [change["what"] for change in trail] == ["key made", "key made", "key revoked"]
    assert all(change["who"].endswith("(command line)") for change in trail)
    with pytest.raises(Conflict, match="last admin key"):
        run(tmp_path, "revoke", listed[0]["id"])
    with pytest.raises(NotFound):
        run(tmp_path, "revoke", "none")


@pytest.mark.parametrize(
    "wrong", [["--role", "root"], ["--expires", "soon"], ["--expires", "0d"], ["--note", "x" * 201]]
)
def test_invalid_options_create_no_key(tmp_path: Path, wrong: list[str]) -> None:
    with pytest.raises(InvalidInput):
        run(tmp_path, "new", *wrong)
    assert not (tmp_path / "keys.json").exists()
