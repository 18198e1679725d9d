"""Commands that only show something create no file, even with a mistyped path; keys that nobody saw do not work."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from command.doctor.home import privacy, read_home
from command.up.home import Home, home_settings, redis_password, write_private
from command.up.ports import HOST, choose
from command.up.servers import redis_server
from operations import audit_file
from operations.key_file import KeyFile, new_key
from registry.registry import Registry
from tests.command import zelador
from tests.small_models import select_one
from tests.up import clean_environment
from zelador.errors import InvalidInput, Unavailable
from zelador.settings import Settings
from zelador.user import expanded, user

LOOKING = (
    ("models", "list"), ("models", "show", "m"), ("models", "compare"), ("models", "history"), ("models", "card", "m"),
    ("models", "verify", "--expect", "none"), ("models", "export", "m", "m.zip"), ("classify", "lux=1"),
    ("keys", "list"), ("keys", "revoke", "4f2a91c0"), ("models", "select", "m"), ("models", "rollback"),
    ("models", "delete", "m"),
    ("models", "rename", "m", "n"), ("models", "annotate", "m", "--tag", "t"), ("models", "collect"),
    ("models", "accept", "--why", "x"), ("models", "trust", "--why", "x"),
    ("models", "import", "nothing.zip"), ("models", "import", "old.pkl"),
)  # fmt: skip


@pytest.mark.parametrize("arguments", LOOKING, ids=" ".join)
@pytest.mark.parametrize("how", ["settings", "home"])
def test_a_mistyped_path_is_named_and_not_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], how: str
) -> None:
    work, elsewhere = tmp_path / "work", tmp_path / "elsewhere"
    work.mkdir()
    elsewhere.mkdir()
    monkeypatch.chdir(work)
    monkeypatch.setattr("zelador.libgomp.libgomp_environment", dict)
    monkeypatch.setenv("ZELADOR_REDIS__URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv("ZELADOR_REGISTRY__SIGNING_KEY", "ab" * 32)
    if "old.pkl" in arguments:
        arguments = (*arguments[:-1], str(elsewhere / "old.pkl"))
        (elsewhere / "old.pkl").write_bytes(b"\x80\x04N.")  # shown, not trusted
    if how == "settings":
        monkeypatch.setenv("ZELADOR_REGISTRY__URL", str(work / "mistyped" / "registry"))
        monkeypatch.setenv("ZELADOR_API__KEYS_FILE", str(work / "mistyped" / "keys.json"))
    else:
        arguments = (*arguments, "--home", str(work / "mistyped"))
    done = zelador(*arguments)
    assert done.code == 2, done
    assert list(work.iterdir()) == []
    if arguments[1] != "import":
        assert "mistyped" in done.err
    assert len(done.err.splitlines()) == 1


def test_the_doctor_and_quarantine_create_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for arguments in (("doctor", "--home", "mistyped"), ("quarantine", "list", "--home", "mistyped")):
        done = zelador(*arguments)
        assert (done.code, "mistyped" in done.err) == (2, True)
    assert list(tmp_path.iterdir()) == []


NOWHERE = (
    ("quarantine", "list"), ("quarantine", "show", "1-0"), ("quarantine", "replay", "--all"),
    ("quarantine", "discard", "--all"), ("health",), ("doctor", "--no-probe"), ("watch",), ("train",),
    ("train", "--csv", "nothing.csv"), ("simulate", "--csv", "nothing.csv"),
)  # fmt: skip


@pytest.mark.parametrize("arguments", NOWHERE, ids=" ".join)
def test_commands_that_find_no_server_or_file_create_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    """`quarantine replay` without Redis made an audit file, and `train` with a mistyped CSV file a registry."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("zelador.libgomp.libgomp_environment", dict)
    for server in ("redis", "mqtt"):
        monkeypatch.setenv(f"ZELADOR_{server}__URL".upper(), f"{server}://127.0.0.1:1")
        monkeypatch.setenv(f"ZELADOR_{server}__START_PATIENCE_S".upper(), "0.01")
    monkeypatch.setenv("ZELADOR_REGISTRY__URL", "mistyped/registry")
    monkeypatch.setenv("ZELADOR_API__KEYS_FILE", "mistyped/keys.json")
    monkeypatch.setenv("ZELADOR_API__PORT", "1")
    assert zelador(*arguments).code in (1, 2)
    monkeypatch.chdir(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_looking_at_a_registry_writes_nothing_into_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    select_one(tmp_path / "registry")
    monkeypatch.setenv("ZELADOR_REGISTRY__URL", str(tmp_path / "registry"))
    monkeypatch.setattr("zelador.libgomp.libgomp_environment", dict)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    for arguments in (("list",), ("show", "small"), ("history",), ("card", "small"), ("verify", "--expect", "none")):
        assert zelador("models", *arguments).code == 0
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")} == before
    assert Registry.existing(Settings(registry={"url": str(tmp_path / "registry")}).registry).state.models


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────

NAMELESS = """
import os, sys
from command.main import main
import operations.audit_file, operations.key_file, command.models.local, command.doctor.home  # read as ourselves
os.setgid(12345); os.setuid(12345)
for name in ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME"): os.environ.pop(name, None)
sys.argv = ["zelador", *sys.argv[1:]]
main()
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root may become somebody else")
def test_a_user_without_a_name_gets_a_key_that_works(tmp_path: Path) -> None:
    """In a container with an arbitrary user id, the key was created, but a traceback was shown instead of it."""
    home = tmp_path / "home"
    home.mkdir()
    for path in (home, tmp_path, *tmp_path.parents):
        if path.stat().st_uid == 0 and path.is_relative_to("/tmp") and path != Path("/tmp"):
            path.chmod(0o755)
    os.chown(home, 12345, 12345)

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", NAMELESS, *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=home, env=clean_environment(), check=False)

    made = run("keys", "new", "--home", str(home), "--role", "viewer")
    assert (made.returncode, made.stderr) == (0, "")
    assert KeyFile(home / "keys.json").known(made.stdout.strip()).role == "viewer"
    (entry,) = audit_file.AuditFile(home / "audit.jsonl", 10**6).newest()
    assert entry.who == "user 12345 (command line)"
    wrong = run("models", "list", "--home", "~/x")
    assert (wrong.returncode, len(wrong.stderr.splitlines())) == (2, 1)
    assert "HOME" in wrong.stderr


def test_the_user_is_not_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    before = user()
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.setenv(name, "alice")
    assert user() == before != "alice"
    with pytest.raises(InvalidInput, match="no home folder"):
        expanded(Path("~nobody-of-that-name/x"))


@pytest.mark.parametrize("trouble", ["audit", "output"])
def test_a_key_that_was_not_shown_does_not_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, trouble: str) -> None:
    def fail(*_: object, **__: object) -> None:
        raise Unavailable("no room") if trouble == "audit" else OSError(28, "no room")

    made: list[str] = []
    real = new_key

    def noted(*arguments: object) -> object:
        record, key = real(*arguments)
        made.append(key)
        return record, key

    monkeypatch.setattr("operations.key_file.new_key", noted)
    monkeypatch.setattr("command.keys.say" if trouble == "output" else "operations.audit_file.AuditFile.add", fail)
    assert zelador("keys", "new", "--home", str(tmp_path)).code == 2
    assert KeyFile(tmp_path / "keys.json").known(made[0]) is None


# ── homes ────────────────────────────────────────────────────────────────────────────────────────


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_home_is_private_to_its_owner(tmp_path: Path) -> None:
    made = Home(tmp_path / "new")
    made.write("up.json", {"redis": "redis://:secret@h:1/0"})
    assert (mode(made.path), mode(made.path / "up.json"), mode(made.redis)) == (0o700, 0o600, 0o700)
    made.release()
    old = tmp_path / "old"
    old.mkdir(mode=0o755)
    ports = dict.fromkeys(("mqtt", "redis", "api", "broker5", "broker4"), 1)
    (old / "home.json").write_text(json.dumps(ports))
    assert privacy(read_home(old, Settings())).state == "risky"
    Home(old).release()
    assert mode(old) == 0o700
    assert privacy(read_home(old, Settings())).state == "fine"
    shared = tmp_path / "shared"
    shared.mkdir(mode=0o755)
    (shared / "theirs.txt").write_text("")
    Home(shared).release()
    assert mode(shared) == 0o755  # `--home .` does not close a shared folder


@pytest.mark.attack_long
def test_the_homes_redis_has_a_password_that_no_process_list_shows(tmp_path: Path, eventually) -> None:
    import redis

    home = Home(tmp_path / "home")
    port = choose(["redis"], {}, {})["redis"]
    server = redis_server(home.redis, port, config=home.redis_config())
    password = redis_password(home.path)
    assert home.redis_config().read_text().split()[1] == password  # made once
    assert mode(home.redis_config()) == 0o600
    assert not any(password in part for part in server.command)
    ports = {"mqtt": 1, "broker5": 1, "broker4": 1, "api": 1, "redis": port}
    settings = home_settings(Settings(), home.path, ports, True)
    process = subprocess.Popen(server.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with redis.Redis.from_url(settings.redis.url) as ours, redis.Redis(HOST, port) as stranger:

            def answers() -> bool:
                try:
                    return ours.ping()
                except redis.ConnectionError:
                    return False

            eventually(answers, "Redis")
            with pytest.raises(redis.AuthenticationError):
                stranger.get("x")
    finally:
        process.terminate()
        process.wait(60)
        home.release()


def test_the_workers_of_a_home_do_not_compete_for_a_port(tmp_path: Path) -> None:
    """With ZELADOR_METRICS__PORT set, both tried to open the port: one died again and again, and `up` gave up."""
    ports = dict.fromkeys(("mqtt", "redis", "api", "broker5", "broker4"), 1)
    assert home_settings(Settings(metrics={"port": 9464}), tmp_path, ports, True).metrics.port is None


def test_a_private_file_replaces_a_file_that_another_user_put_there(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "b")
    (tmp_path / f".a.{os.getpid()}").symlink_to(tmp_path / "c")
    write_private(tmp_path / "a", "x")
    assert (tmp_path / "a").read_text() == "x"
    assert not (tmp_path / "b").exists()
    assert not (tmp_path / "c").exists()
