"""The wheel: it has everything the commands need, and none of its files overlaps another package's."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True, timeout=120)
    (found,) = folder.glob("*.whl")
    return found


def test_no_file_overlaps_another_package_of_the_lock(wheel: Path) -> None:
    """Our packages have plain names, such as `registry`: one more package with such a name would overwrite ours."""
    with zipfile.ZipFile(wheel) as file:
        tops = {name.split("/")[0] for name in file.namelist() if ".dist-info/" not in name}
    site = {path.name for path in Path(sysconfig.get_path("purelib")).iterdir()}  # ours is installed by a path alone
    assert {name for name in tops if {name, f"{name}.py"} & site} == set()


def test_the_commands_run_from_the_wheel_alone(wheel: Path, tmp_path: Path) -> None:
    """They do not use the checkout, so a package or a data file that the wheel lacks fails here."""
    with zipfile.ZipFile(wheel) as file:
        file.extractall(tmp_path / "site")
    code = (
        "import importlib, pkgutil, pathlib, sys\n"
        "site = pathlib.Path(sys.argv[1])\n"
        "tops = [path.name for path in site.iterdir() if (path / '__init__.py').is_file()]\n"
        "for top in tops:\n"
        "    module = importlib.import_module(top)\n"
        "    assert pathlib.Path(module.__file__).is_relative_to(site), module.__file__\n"
        "from zelador.buffer.library import library_text\n"
        "assert 'redis.register_function' in library_text()[1]\n"
        "print(sorted(tops))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    command = [sys.executable, "-c", code, str(tmp_path / "site")]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    command = [sys.executable, "-m", "zelador", "--help"]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert "doctor" in done.stdout


def test_the_wheel_has_every_data_file(wheel: Path) -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, timeout=30).stdout.split(
        "\n"
    )
    with zipfile.ZipFile(wheel) as file:
        inside = set(file.namelist())
    tops = {name.split("/")[0] for name in inside if ".dist-info/" not in name}
    missing = [path for path in tracked if path.split("/")[0] in tops and path not in inside]
    assert missing == []


def test_the_images_are_given_every_package(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as file:
        tops = {name.split("/")[0] for name in file.namelist() if ".dist-info/" not in name}
    copied = {line.split()[1] for line in (ROOT / "Dockerfile").read_text().splitlines() if line.startswith("COPY ")}
    let_in = {line.removeprefix("!") for line in (ROOT / ".dockerignore").read_text().splitlines() if line[:1] == "!"}
    assert tops <= copied & let_in
