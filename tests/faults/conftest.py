"""One shared site for all cases that need no special one. The whole matrix runs only on request."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.alarm_scene import scene as scene
from tests.faults.disk import data_folder, filesystem, kept_busy
from tests.faults.site import Shape
from tests.faults.trial import Outcome, Trial
from tests.servers import found_or_skip

whole_matrix = pytest.mark.skipif(
    not os.environ.get("TEST_FAULTS"), reason="of the whole matrix: TEST_FAULTS=1 (make test-faults)"
)


Note = Callable[..., None]
noted: list[tuple[str, Outcome, dict[str, float]]] = []
ran_on: list[str] = []


@pytest.fixture
def note(request: pytest.FixtureRequest) -> Note:
    """Keeps the figures of a case for the table at the end of the report."""

    def keep(outcome: Outcome, **seconds: float) -> None:
        noted.append((request.node.name.removeprefix("test_"), outcome, seconds))

    return keep


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not noted:
        return
    heads = ("readings", "lost", "by broker", "repeated", "unaccounted")
    terminalreporter.write_line(f"data on {', '.join(ran_on)}")
    terminalreporter.write_line(f"{'fault':58}" + "".join(f"{head:>12}" for head in heads) + "  seconds")
    for name, outcome, seconds in sorted(noted, key=lambda entry: entry[0]):
        verdict = outcome.verdict
        figures = (verdict.readings, len(verdict.lost), verdict.lost_by_broker, verdict.repeated)
        said = ", ".join(f"{what} {value:.2f}" for what, value in seconds.items())
        line = "".join(f"{figure:12,}" for figure in (*figures, outcome.ledger.unaccounted))
        terminalreporter.write_line(f"{name:58}{line}  {said}")


def is_whole(trial: Trial, note: Note, **seconds: float) -> Outcome:
    """Waits until nothing changes any more; fails if we lost a reading, or the ledger does not close."""
    outcome = trial.outcome()
    note(outcome, **seconds)
    assert outcome.ours() is None
    return outcome


@pytest.fixture(scope="session")
def servers() -> None:
    for program in ("mosquitto", "redis-server"):
        found_or_skip(program)


@pytest.fixture(scope="session")
def data(servers: None) -> Iterator[Path]:
    """The folder for the data of the sites: on a disk, which the whole matrix keeps busy with syncing."""
    folder = data_folder("zelador-faults-")
    whole = bool(os.environ.get("TEST_FAULTS"))
    ran_on.append(filesystem(folder) + (", kept busy with syncing" if whole else ""))
    with kept_busy(folder) if whole else contextlib.nullcontext():
        yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def shared(data: Path) -> Iterator[Trial]:
    with Trial(_folder(data, "site")) as trial:
        yield trial


def _folder(data: Path, name: str) -> Path:
    folder = data / name
    folder.mkdir()
    return folder


@pytest.fixture
def trial(shared: Trial) -> Iterator[Trial]:
    """The shared site, with its own readings."""
    with case(shared) as found:
        yield found


@contextlib.contextmanager
def case(trial: Trial) -> Iterator[Trial]:
    """Begins when everything answers; at the end, undoes what the case did to its site."""
    site = trial.site
    site.ready(*site.processes)
    trial.begin()
    try:
        yield trial
        ended_by_itself = site.revive()
    finally:
        trial.devices.rate = 0.0
        for wire in site.wires.values():
            wire.flow()
        for process in site.processes.values():
            process.resume()
            if process.pid is None:
                process.start()
    assert ended_by_itself == [], f"a fault ended {ended_by_itself}, which has to outlive it"


@pytest.fixture
def make_trial(data: Path, request: pytest.FixtureRequest) -> Iterator[Callable[..., Trial]]:
    """Makes a site of another shape."""
    made: list[Trial] = []

    def make(**shape: object) -> Trial:
        new = Trial(_folder(data, f"{request.node.name[:60]}-{len(made)}"), Shape(**shape))  # type: ignore[arg-type]
        new.__enter__()
        made.append(new)
        return new

    yield make
    ended_by_itself = [name for one in made for name in one.site.revive()]
    for one in made:
        one.close()
    assert ended_by_itself == [], f"a fault ended {ended_by_itself}, which has to outlive it"


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, Any, None]:
    """Adds the last output of each process to the report of a failure."""
    outcome = yield
    report = outcome.get_result()
    if report.when != "call" or not report.failed:
        return
    for value in getattr(item, "funcargs", {}).values():
        if isinstance(value, Trial):
            report.sections += [(name, process.last_words()) for name, process in value.site.processes.items()]
