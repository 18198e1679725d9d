"""A bare machine has no libgomp: the copy in scikit-learn's wheel is linked where the loader looks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from zelador import libgomp

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux needs it")


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(libgomp, "_loads", lambda: False)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    monkeypatch.delenv(libgomp.VARIABLE, raising=False)
    return tmp_path


def test_the_folder_holds_a_link_of_the_right_name(bare: Path) -> None:
    folder = Path(libgomp.libgomp_environment()[libgomp.VARIABLE])
    assert (folder / libgomp.LIBRARY).is_file()
    assert libgomp.libgomp_environment()[libgomp.VARIABLE] == str(folder)


def test_earlier_values_of_the_variable_are_kept(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(libgomp.VARIABLE, "/opt/lib")
    assert libgomp.libgomp_environment()[libgomp.VARIABLE].endswith(":/opt/lib")


def test_a_link_to_an_environment_that_is_gone_is_made_again(bare: Path) -> None:
    folder = Path(libgomp.libgomp_environment()[libgomp.VARIABLE])
    (folder / libgomp.LIBRARY).unlink()
    (folder / libgomp.LIBRARY).symlink_to(bare / "gone.so")
    libgomp.libgomp_environment()
    assert (folder / libgomp.LIBRARY).is_file()


def test_the_restart_is_never_tried_twice(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Otherwise the process would restart itself forever if the library still does not load."""
    monkeypatch.setenv(libgomp.VARIABLE, libgomp.libgomp_environment()[libgomp.VARIABLE])
    assert libgomp.libgomp_environment() == {}


def test_a_machine_without_a_writable_folder_continues(bare: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(bare / "missing"))
    assert libgomp.libgomp_environment() == {}


def test_nothing_is_added_if_the_library_exists(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(libgomp, "_loads", lambda: True)
    assert libgomp.libgomp_environment() == {}
