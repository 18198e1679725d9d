"""One real broker and one real Redis for the whole suite; each test has its own keys and topics on them."""

from __future__ import annotations

import gc
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings

from tests import servers
from zelador.settings import MqttSettings, RedisSettings, Settings, TopicSettings

# A test never asserts a time: on a busy machine an example may take any time.
hypothesis_settings.register_profile("untimed", deadline=None)
hypothesis_settings.load_profile("untimed")

ran_on: set[str] = set()  # output of the suite's processes, if there are several


gc.disable()  # until all modules are imported: they create many objects and no garbage


def pytest_collection_finish() -> None:
    gc.freeze()
    gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Starts long files first, the longest at once, so that no process is left with one at the end."""
    minutes: dict[Path, float] = {}
    for item in items:
        for mark in (*item.iter_markers("long"), *item.iter_markers("training")):
            minutes[item.path] = max(minutes.get(item.path, 0.0), mark.args[0] if mark.args else 1.0)
    items.sort(key=lambda item: -minutes.get(item.path, 0.0))


def pytest_report_header() -> str:
    return servers.describe()


def pytest_sessionfinish(session: pytest.Session) -> None:
    if (output := getattr(session.config, "workeroutput", None)) is not None:  # we are one of several processes
        output["servers"] = servers.describe_used()


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    ran_on.add(getattr(node, "workeroutput", {}).get("servers", "a process that died"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in sorted(ran_on) or [servers.describe_used()]:
        terminalreporter.write_line(line)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test must not see the settings of the person who runs it."""
    import os

    for name in list(os.environ):
        if name.startswith("ZELADOR_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session", autouse=True)
def _cache_of_our_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The record of checked models (registry/cage/passed.py) is not that of the person who runs the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def redis_url() -> Iterator[str]:
    with servers.run_redis() as running:
        yield running.url


@pytest.fixture(scope="session")
def mqtt_url() -> Iterator[str]:
    with servers.run_broker() as running:
        yield running.url


@pytest.fixture
def mark() -> str:
    """A name that no other test uses: for keys, topics and client ids."""
    return uuid.uuid4().hex[:12]


@pytest.fixture
def settings(redis_url: str, mqtt_url: str, mark: str) -> Settings:
    return Settings(
        mqtt=MqttSettings(url=mqtt_url),
        redis=RedisSettings(url=redis_url, prefix=mark),
        topics=TopicSettings(
            reading=f"{mark}/{{device_id}}/reading",
            prediction=f"{mark}/{{device_id}}/prediction",
            label=f"{mark}/{{device_id}}/label",
            status=f"{mark}/status/{{service}}/{{instance}}",
        ),
        ingest={"client_id": f"ingest-{mark}"},
        inference={"instance": f"inference-{mark}", "takeover_after_s": 1.0, "select_poll_s": 0.1},
    )


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Waits for a condition, with a time limit and a name for the error."""

    def wait(condition: Callable[[], object], what: str, within_s: float = 60.0) -> None:
        deadline = time.monotonic() + within_s
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"waited {within_s:g} s for {what}")
            time.sleep(0.01)

    return wait
