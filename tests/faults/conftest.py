"""One site for the cases that need nothing special of it; the whole matrix only where it is asked for."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.faults.site import Shape
from tests.faults.trial import Outcome, Trial
from tests.servers import found_or_skip

whole_matrix = pytest.mark.skipif(
    not os.environ.get("TEST_FAULTS"), reason="of the whole matrix: TEST_FAULTS=1 (make test-faults)"
)


Note = Callable[..., None]
noted: list[tuple[str, Outcome, dict[str, float]]] = []


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
    terminalreporter.write_line(f"{'fault':58}" + "".join(f"{head:>12}" for head in heads) + "  seconds")
    for name, outcome, seconds in sorted(noted, key=lambda entry: entry[0]):
        verdict = outcome.verdict
        figures = (verdict.readings, len(verdict.lost), verdict.lost_by_broker, verdict.repeated)
        said = ", ".join(f"{what} {value:.2f}" for what, value in seconds.items())
        line = "".join(f"{figure:12,}" for figure in (*figures, outcome.ledger.unaccounted))
        terminalreporter.write_line(f"{name:58}{line}  {said}")


def is_whole(trial: Trial, note: Note, **seconds: float) -> Outcome:
    """Waits until nothing moves any more; fails if we lost a reading, or the ledger does not close."""
    outcome = trial.outcome()
    note(outcome, **seconds)
    assert outcome.ours() is None
    return outcome


@pytest.fixture(scope="session")
def servers() -> None:
    for program in ("mosquitto", "redis-server"):
        found_or_skip(program)


@pytest.fixture(scope="session")
def shared(servers: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    with Trial(tmp_path_factory.mktemp("site")) as trial:
        yield trial


@pytest.fixture
def trial(shared: Trial) -> Iterator[Trial]:
    """The one site, and its own readings to ask about."""
    with case(shared) as found:
        yield found


@contextlib.contextmanager
def case(trial: Trial) -> Iterator[Trial]:
    """Begins with everything answering; whatever the case did to its site is undone at the end."""
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
def make_trial(servers: None, tmp_path: Path) -> Iterator[Callable[..., Trial]]:
    """A site of a shape of its own."""
    made: list[Trial] = []

    def make(**shape: object) -> Trial:
        new = Trial(tmp_path, Shape(**shape))  # type: ignore[arg-type]
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
    """A failure shows what each process said last."""
    outcome = yield
    report = outcome.get_result()
    if report.when != "call" or not report.failed:
        return
    for value in getattr(item, "funcargs", {}).values():
        if isinstance(value, Trial):
            report.sections += [(name, process.last_words()) for name, process in value.site.processes.items()]
