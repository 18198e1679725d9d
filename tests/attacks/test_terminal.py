"""Names of devices, operators and files are shown on a terminal, and never control it."""

from __future__ import annotations

import io
import json
import logging
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from command import train as train_command
from command import watch as watch_command
from command.demo.view import View
from command.doctor import command as doctor_command
from command.doctor.finding import broken
from command.terminal import Terminal, print_json, say
from command.up import command as up_command
from operations.key_file import Key
from registry.card.usage import shell_word
from registry.registry import Registry
from tests.command import zelador as command
from tests.small_models import upload
from zelador.logs import set_up_logs
from zelador.messages import Prediction
from zelador.printable import clean, clean_json, is_safe
from zelador.settings import LogSettings, Settings

HOSTILE = (
    "\x1b]0;pwn\x07", "\x1b[2J", "\x9b2J", "\x9d0;x\x9c", "a\rb", "a\x08b", "a\x7fb", "a\x00b",
    "\u202eevil\u202c", "\u2066x\u2069", "\u200b\u200d\ufeff", "\u200e\u061c", "\U000e0041\U000e007f",
    "\ufe0f\U000e0100", "\u2028\u2029\x85", "\u3164\u2800\u115f",
    "[bold red]x[/] [/nothing] [link=http://x]y[/link] :smile:",
)  # fmt: skip
ALL = "".join(HOSTILE) + "\nzelador: forged line"
OUR_STYLE = re.compile(r"\x1b\[[0-9;]*m")


def assert_clean(text: str, ours: str = "\n\t") -> None:
    text = OUR_STYLE.sub("", text)
    bad = sorted({each for each in text if each not in ours and not is_safe(each)})
    assert not bad, f"{bad} in {text[:2_000]!r}"


class Tty(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs something with a terminal on both sides; returns its output."""
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "400")

    def run(work: Any) -> str:
        shown = Tty()
        with monkeypatch.context() as patch:
            patch.setattr(sys, "stdout", shown)
            patch.setattr(sys, "stderr", shown)
            work()
        return shown.getvalue()

    return run


@given(st.text())
def test_cleaned_text_contains_nothing_that_controls_a_terminal(text: str) -> None:
    assert all(map(is_safe, clean(text)))
    assert clean(clean(text)) == clean(text)
    assert all(map(is_safe, shell_word(text)))
    document = json.dumps({text: [text]}, ensure_ascii=False)
    assert json.loads(clean_json(document)) == {text: [text]}
    assert all(map(is_safe, clean_json(document)))


@pytest.mark.parametrize("text", [*HOSTILE, "it's", "", "a b", "$(id)", "`id`", "\\", "!x"])
def test_a_copied_shell_line_means_what_it_shows(text: str) -> None:
    if "\x00" in text:
        pytest.skip("no shell has it")
    line = f"printf %s {shell_word(text)}"
    assert_clean(line)
    done = subprocess.run(["bash", "-c", line], capture_output=True, check=True, env={"LC_ALL": "C.UTF-8"})
    assert done.stdout.decode() == text


def test_there_is_only_one_way_to_the_terminal() -> None:
    files = sorted(Path(train_command.__file__).parent.rglob("*.py"))
    assert len(files) > 50
    for path in files:
        if path.name == "terminal.py":
            continue
        found = re.findall(
            r"(?<![\w.])(?:print|Console|echo|secho)\(|import[^\n]*\bConsole\b|from_markup|render_str", path.read_text()
        )
        assert not found, f"{path}: {found}"


@pytest.fixture(scope="module")
def hostile_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("registry")
    registry = Registry.open(folder)
    for name in ("one", "two"):
        registry.save(name, upload(), by=ALL, why=ALL)
        registry.amend(
            name, {"description": ALL, "notes": ALL, **{f"k{text}": text for text in HOSTILE}, "model_type": ALL,
                   "metric": ALL, "run": ALL}, add=["t\u3164\u2800", "[red]"], by=ALL, why=ALL,
        )  # fmt: skip
        registry.select(name, by=ALL, why=ALL)
    return folder


LOOKING = (
    ("models", "list"), ("models", "show", "one"), ("models", "compare", "one", "two"), ("models", "history"),
    ("models", "card", "one"), ("models", "verify", "--expect", "none"), ("models", "show", ALL),
    ("models", "list", "--sort", ALL), ("models", "list", "--text", ALL), (ALL,), ("models", f"--{ALL}"),
    ("models", "show", "one", ALL), ("classify", "lux=1", ALL), ("classify", "--model", ALL, "lux=1"),
    ("models", "annotate", "one", "--tag", "t"), ("models", "select", "one"), ("models", "rollback"),
    ("classify", "--model", "one", "lux=1", "temperature=2", "vibration=3"),
    ("models", "import", f"/nowhere/{ALL}"), ("keys", "revoke", ALL), ("doctor", "--home", f"/nowhere/{ALL}"),
    ("quarantine", "list", "--home", f"/nowhere/{ALL}"), ("models", "list", "--url", f"http://127.0.0.1:1/{ALL}"),
    ("health", "--url", f"http://127.0.0.1:1/{ALL}"), ("simulate", "--csv", f"/nowhere/{ALL}"),
)  # fmt: skip


@pytest.mark.parametrize("on_terminal", [True, False])
@pytest.mark.parametrize("arguments", LOOKING, ids=lambda each: clean(" ".join(each))[:40])
def test_no_command_shows_it_raw(
    hostile_registry: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], on_terminal: bool
) -> None:
    monkeypatch.setenv("ZELADOR_REGISTRY__URL", str(hostile_registry))
    monkeypatch.setenv("ZELADOR_API__KEYS_FILE", str(hostile_registry.parent / f"keys-{on_terminal}.json"))
    monkeypatch.setenv("ZELADOR_REDIS__URL", "redis://127.0.0.1:1/0")
    monkeypatch.setattr("zelador.libgomp.libgomp_environment", dict)
    if on_terminal:
        monkeypatch.setattr("tests.command.io", SimpleNamespace(StringIO=Tty))
        monkeypatch.setenv("TERM", "xterm-256color")
    if any("\x00" in each for each in arguments):
        arguments = tuple(each.replace("\x00", "") for each in arguments)  # no command line has it
    done = command(*arguments)
    assert done.out + done.err
    assert_clean(done.out + done.err)
    forged = [line for line in (done.out + done.err).splitlines() if line.startswith("zelador: forged")]
    assert not forged


@pytest.mark.parametrize("arguments", [("models", "show", "one"), ("models", "list"), ("models", "history")])
def test_json_stays_valid_and_unchanged_in_a_pipe(
    hostile_registry: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.setenv("ZELADOR_REGISTRY__URL", str(hostile_registry))
    piped = command(*arguments, "--json").out
    assert "\u202e" in piped  # unchanged, as before the cleaning
    with monkeypatch.context() as patch:
        patch.setattr("tests.command.io", SimpleNamespace(StringIO=Tty))
        shown = command(*arguments, "--json").out
    assert_clean(shown)
    assert json.loads(shown) == json.loads(piped)


def test_half_a_surrogate_pair_is_printed_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": "\udcff"})
    say("\udcff")
    assert capsys.readouterr().out == '{"a": "\\udcff"}\n\\udcff\n'


def test_keys_and_their_notes(tmp_path: Path) -> None:
    """Someone who may write the key file put control characters into it."""
    keys = [Key(ALL, "d", "admin", ALL, ALL, ALL, ALL)]
    (tmp_path / "keys.json").write_bytes(msgspec.json.encode({"keys": keys}))
    done = command("keys", "list", "--home", str(tmp_path))
    assert done.code == 0
    assert_clean(done.out)


def test_quarantine_by_topic_reason_and_payload(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, terminal: Any
) -> None:
    from zelador.quarantine import Quarantine

    monkeypatch.setenv("ZELADOR_REDIS__URL", settings.redis.url)
    monkeypatch.setenv("ZELADOR_REDIS__PREFIX", settings.redis.prefix)
    page = [
        SimpleNamespace(
            id="1-0", received_at=0, kind=ALL, topic=ALL, reason=ALL, payload=ALL.encode("utf-8", "replace")
        )
    ]
    monkeypatch.setattr(Quarantine, "page", lambda *_: page)
    assert_clean(terminal(lambda: command_inside("quarantine", "list", "--limit", "1")))
    replayed = [SimpleNamespace(id=ALL, outcome="still_refused", reason=ALL)]
    monkeypatch.setattr(Quarantine, "replay_all", lambda *_: replayed)
    assert_clean(terminal(lambda: command_inside("quarantine", "replay", "--all")))
    monkeypatch.setattr(Quarantine, "get", lambda *_: page[0])
    refused = terminal(lambda: command_inside("quarantine", "show", "1-0", "--raw"))
    assert_clean(refused)
    assert "--raw > FILE" in refused


def command_inside(*arguments: str) -> None:
    from unittest import mock

    from command.main import main

    with mock.patch.object(sys, "argv", ["zelador", *arguments]), pytest.raises(SystemExit):
        main()


def test_watch_doctor_train_up_and_the_live_view(terminal: Any) -> None:
    prediction = Prediction(ALL, ALL, ALL, ALL, ALL, None, None, ALL, ALL, 1, ALL)
    assert_clean(terminal(lambda: say(watch_command._line(prediction))))
    report = SimpleNamespace(findings=[broken(ALL, ALL, ALL, ALL)], outage_s=None, rate=None, queue=None)
    assert_clean(terminal(lambda: doctor_command.show(report)))
    model = {"rank": 1, "name": ALL, "metrics": {ALL: 1.0}, "holdout": {}, "served_by": ALL}
    split = {"folds_by": "block", "holdout_rows": 3, "holdout_blocks": 2, "blocks": 9, "kind": "time", "notes": [ALL]}
    split |= {"asked": "auto", "questions": ["later"], "folds": 5}
    document = {"run": ALL, "rows": ALL, "metric": ALL, "models": [model], "split": split, "positive": ALL}
    document["verdict"] = {"kind": "tied", "sentence": ALL, "tied": [ALL]}
    document["leaderboard"] = [{"place": None, "model_type": ALL, "trouble": ALL}]
    document["reference"] = {"name": ALL, "note": ALL, "holdout": {}}
    assert_clean(terminal(lambda: train_command.show(document)))
    home = SimpleNamespace(
        redis_config=lambda: Path(ALL.replace("\x00", "")), admin_key=Path("/k"), path=Path(ALL.replace("\x00", ""))
    )
    running = SimpleNamespace(home=home, broker=None, redis=object(), access=None, listen=None, ports={})
    described = {"home": ALL, "mqtt": ALL, "api": ALL, "redis": "redis://:secret@h:1/0", "broker": ALL}
    shown = terminal(lambda: up_command.show(running, described, "zlk_x", ALL))
    assert_clean(shown)
    assert "zlk_x" in shown
    assert "secret" not in shown
    device = {"device_id": ALL, "state": ALL, "since": ALL, "alarm_label": ALL, "label": ALL}
    progress = SimpleNamespace(phase=ALL, detail=ALL, models=[model], selected=ALL, ledger={}, devices=[device])
    subscriber = SimpleNamespace(
        newest=[prediction], measured=lambda _: SimpleNamespace(p50_ms=1.0, p99_ms=1.0), right=1, live=1, answered=1
    )
    story = SimpleNamespace(progress=progress, subscriber=subscriber, scenario=SimpleNamespace(about=ALL))
    view = View(story, {"mqtt": ALL, "api": ALL})
    assert_clean(terminal(lambda: Terminal(width=300).print(view.render())))


def test_output_goes_only_through_the_console(terminal: Any) -> None:
    """Anything printed through the console is cleaned, even if its writer forgot to."""
    from rich.columns import Columns
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    table = Table(ALL, title=ALL, caption=ALL)
    table.add_row(ALL)
    for each in (ALL, Text(ALL), Panel(Text(ALL)), Columns([ALL]), table):
        assert_clean(terminal(lambda each=each: Terminal().print(each)))
    assert_clean(terminal(lambda: Terminal().out(clean(ALL))))


class Kept(io.BytesIO):
    def close(self) -> None:
        """Stays open, because the test reads it afterwards."""


@pytest.mark.parametrize("form", ["console", "json"])
def test_log_lines(form: str) -> None:
    written = Kept()
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    try:
        set_up_logs(LogSettings(format=form), ALL, written)
        log = logging.getLogger("x")
        log.warning("a reading on %s is refused: %s", ALL, ALL)
        try:
            raise ValueError(ALL)
        except ValueError:
            log.exception("%s", ALL)
    finally:
        root.handlers[:] = before
        root.setLevel(level)
    text = written.getvalue().decode()
    assert_clean(text)
    events = [line for line in text.splitlines() if "is refused" in line]
    assert len(events) == 1  # text after the line break gets no separate line
    if form == "json":
        assert json.loads(text.splitlines()[0])["event"].endswith("forged line")


def test_our_own_errors_are_shown_as_text(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError(ALL)

    monkeypatch.setattr("command.health.settings_of", fail)
    done = command("health")
    assert done.code == 1
    assert "Traceback" in done.err
    assert_clean(done.err)
