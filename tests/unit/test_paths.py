"""Paths in the settings that a service resolves before it moves to an empty folder."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from zelador.settings import Section, Settings, load_settings
from zelador.settings.paths import absolute


def test_every_path_in_the_settings_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Finds paths by their type, so that a setting that is added later is not forgotten."""
    monkeypatch.chdir(tmp_path)
    given: dict[str, dict[str, object]] = {}
    for name, section in Settings():
        if isinstance(section, Section):
            fields = type(section).model_fields
            given[name] = {key: "a/b" for key, field in fields.items() if "Path" in str(field.annotation)}
    assert {"keys_file", "audit_file"} <= set(given["api"])
    assert {"ca_file", "key_file"} <= set(given["mqtt"])
    settings = absolute(Settings(**given))  # type: ignore[arg-type]
    for name, paths in given.items():
        for key in paths:
            assert getattr(getattr(settings, name), key) == tmp_path / "a/b", (name, key)
    assert absolute(settings) == settings


@pytest.mark.parametrize(
    ("url", "found"),
    [
        (".zelador/registry", "{here}/.zelador/registry"),
        ("models", "{here}/models"),
        ("~/r", "{home}/r"),
        ("/srv/r", "/srv/r"),
        ("file:r%20s", "{here}/r s"),
        ("file:///srv/r", "/srv/r"),
        ("s3://bucket/prefix", "s3://bucket/prefix"),
        ("", ""),
    ],
)
def test_a_registry_in_a_folder_stays_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, found: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", "/home/me")
    settings = absolute(Settings(registry={"url": url}))
    assert settings.registry.url == found.format(here=tmp_path, home="/home/me")


def test_files_in_urls_and_options_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    url = "rediss://:p%40w@h:1/0?ssl_ca_certs=ca%20s.pem&ssl_cert_reqs=required&ssl_keyfile=/k.pem"
    options = "region=eu,endpoint=http://h,google_service_account=key.json,service_account_path=/k"
    settings = absolute(Settings(redis={"url": url}, registry={"bucket": options}))
    expected = f"rediss://:p%40w@h:1/0?ssl_ca_certs={tmp_path}/ca%20s.pem&ssl_cert_reqs=required&ssl_keyfile=/k.pem"
    assert settings.redis.url == expected
    assert settings.registry.bucket == (
        "region=eu", "endpoint=http://h", f"google_service_account={tmp_path}/key.json", "service_account_path=/k",
    )  # fmt: skip
    plain = Settings(redis={"url": "redis://:ssl_keyfile=x@h:1/0"})
    assert absolute(plain).redis.url == plain.redis.url


MOVE = """
import os, sys
from command.empty_folder import in_empty_folder, move_to_empty_folder
from zelador.settings import load_settings
with in_empty_folder():
    first = os.getcwd()
assert os.getcwd() == sys.argv[1], os.getcwd()
settings = move_to_empty_folder(load_settings())
print(first, os.getcwd(), oct(os.stat(".").st_mode & 0o777), os.listdir(), sep="|")
print(settings.registry.url, os.environ["TMPDIR"], os.environ["PYTHONPATH"], sep="|")
"""


def moved(work: Path, temporary: Path) -> list[list[str]]:
    root = Path(__file__).parents[2]
    environment = {
        **os.environ,
        "TMPDIR": os.path.relpath(temporary, work),
        "PYTHONPATH": os.path.relpath(root, work),
        "ZELADOR_REGISTRY__URL": "models",
    }
    done = subprocess.run(
        [sys.executable, "-c", MOVE, str(work)], cwd=work, env=environment, capture_output=True, text=True, check=True
    )
    return [line.split("|") for line in done.stdout.splitlines()]


def test_the_folder_is_empty_and_shared_only_by_our_processes(tmp_path: Path) -> None:
    work, temporary = tmp_path / "work", tmp_path / "tmp"
    work.mkdir()
    temporary.mkdir()
    found, (url, tmpdir, path) = moved(work, temporary)
    folder = temporary / f"zelador-empty-{os.geteuid()}"
    assert found == [str(folder), str(folder), "0o500", "[]"]
    assert (url, Path(tmpdir).resolve(), Path(path).resolve()) == (
        f"{work}/models", temporary, Path(__file__).parents[2],
    )  # fmt: skip
    assert moved(work, temporary)[0] == found
    assert [each.name for each in temporary.iterdir()] == [folder.name]
    folder.chmod(0o700)
    (folder / "keys.json").write_text("planted")
    for why in ("a file in it", "writable", "a link"):
        if why == "writable":
            (folder / "keys.json").unlink()
        if why == "a link":
            folder.rmdir()
            folder.symlink_to(work)
            work.chmod(0o500)
        (first, second, mode, content), _ = moved(work, temporary)
        assert str(folder) not in (first, second) and str(work) not in (first, second), why
        assert (mode, content) == ("0o500", "[]")
    work.chmod(0o700)


def test_a_folder_that_cannot_be_created_gives_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from command.empty_folder import move_to_empty_folder
    from zelador.errors import Unavailable

    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "not there"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(Unavailable, match="set TMPDIR"):
        move_to_empty_folder(load_settings())


HELP = """
import subprocess, sys
from zelador.python import python_module
sys.exit(subprocess.run(python_module("zelador", "--version-of-nothing")).returncode)
"""


@pytest.mark.parametrize("given", ["-P", "-B"])
def test_a_users_module_beside_a_home_does_not_replace_ours(tmp_path: Path, given: str) -> None:
    """In a folder with a package `command`, the services of `zelador up` import their own one."""
    (tmp_path / "command").mkdir()
    (tmp_path / "command" / "__init__.py").write_text("import sys; sys.exit(77)")
    (tmp_path / "trainer.py").write_text("import sys; sys.exit(77)")
    if given == "-P":  # as the installed command is
        done = subprocess.run([sys.executable, "-P", "-c", HELP], cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == 2  # the wrong option, from our own command
    else:  # with `python -m zelador up` in this folder, the user's module is imported
        code = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {HELP.strip().replace(chr(10), '; ')}"
        done = subprocess.run([sys.executable, "-P", "-c", code], cwd=tmp_path, capture_output=True, check=False)
        assert done.returncode == 77
