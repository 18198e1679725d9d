"""A console over a real registry, Redis and broker, with live readings, for a whole file of tests."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from admin.service import run
from operations.key_file import ROLES, new_key
from registry.registry import Feature
from tests.attacks.api import settings_for, wait_for
from tests.console.ended_runs import put_ended_runs
from tests.console.plant import Plant, running
from tests.small_models import select_one, upload
from zelador.settings import AlarmSettings, InferenceSettings, IngestSettings, MqttSettings, Settings, TopicSettings

RANGED = (  # what training saw
    Feature("lux", "lx", 250.0, 520.0),
    Feature("temperature", "°C", 30.0, 88.0),
    Feature("vibration", "g", 0.0, 6.1),
)
CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--headless", "--disable-gpu", "--disable-background-networking", "--no-first-run"]


@dataclass(frozen=True)
class Site:
    """A running console, with a key for each role."""

    settings: Settings
    keys: dict[str, str]
    plant: Plant

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.settings.api.port}"

    @contextlib.contextmanager
    def client(self, role: str | None = "admin", **headers: str) -> Iterator[httpx.Client]:
        """A browser without JavaScript, signed in by the form."""
        with httpx.Client(base_url=self.url, timeout=30.0, headers=headers) as client:
            if role:
                answer = client.post("/console/signin", data={"key": self.keys[role]})
                assert answer.status_code == 303, answer.text
            yield client

    def answers(self) -> bool:
        with contextlib.suppress(httpx.TransportError):
            return httpx.get(f"{self.url}/healthz", timeout=30.0).status_code == 200
        return False


@contextlib.contextmanager
def serving(folder: Path, redis_url: str, mqtt_url: str, **api: object) -> Iterator[Site]:
    given = settings_for(folder, redis_url, **api)
    mark = given.redis.prefix
    settings = given.model_copy(
        update={
            "plant": "Sorocaba",
            "time_zone": "America/Sao_Paulo",
            "mqtt": MqttSettings(url=mqtt_url),
            "topics": TopicSettings(
                reading=f"{mark}/{{device_id}}/reading",
                prediction=f"{mark}/{{device_id}}/prediction",
                status=f"{mark}/status/{{service}}/{{instance}}",
            ),
            "ingest": IngestSettings(client_id=f"ingest-{mark}"),
            "alarm": AlarmSettings(classes=("yes",)),
            "inference": InferenceSettings(instance=f"inference-{mark}", select_poll_s=0.1),
        }
    )
    registry = select_one(settings.registry.url)
    registry.save("other", replace(upload(), features=RANGED), by="test")
    registry.save("hungry", replace(upload(), features=(*RANGED[:2], Feature("current", "A", 0.0, 9.0))), by="test")
    put_ended_runs(registry, folder / "candidates")
    keys = {role: new_key(settings.api.keys_file, role, f"the {role}")[1] for role in ROLES}
    stop = threading.Event()
    thread = threading.Thread(target=run, args=(settings, stop))
    thread.start()
    try:
        with running(settings) as plant:
            site = Site(settings, keys, plant)
            wait_for(site.answers, "the admin server")
            plant.calm()
            yield site
    finally:
        stop.set()
        thread.join(60)
        assert not thread.is_alive()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, redis_url: str, mqtt_url: str) -> Iterator[Site]:
    with serving(tmp_path_factory.mktemp("console"), redis_url, mqtt_url) as found:
        yield found


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium. Skips the test if it is not installed; in CI, fails."""
    path = CHROMIUM if Path(CHROMIUM).exists() else shutil.which("chromium")
    if path is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)("chromium is not installed (make servers)")
    expect.set_options(timeout=60_000)  # the model's process may take seconds to start
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@dataclass
class Window:
    """A page of a signed-in browser, the messages of its JavaScript console, and its requests to other hosts."""

    page: Page
    said: list[str]
    elsewhere: list[str]

    def open(self, path: str) -> Page:
        answer = self.page.goto(path)
        assert answer is not None
        assert answer.status == 200, f"{path}: {answer.status}"
        return self.page


@contextlib.contextmanager
def window(browser: Browser, site: Site, role: str | None = "admin", **options: object) -> Iterator[Window]:
    given = {"viewport": {"width": 1440, "height": 900}, "locale": "en-US", "base_url": site.url, **options}
    context: BrowserContext = browser.new_context(**given)  # type: ignore[arg-type]
    context.set_default_timeout(60_000)
    page = context.new_page()
    found = Window(page, [], [])
    page.on(
        "console", lambda message: found.said.append(message.text) if message.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: found.said.append(str(error)))
    context.on(
        "request",
        lambda asked: None if asked.url.startswith(f"{site.url}/") else found.elsewhere.append(asked.url),
    )
    try:
        if role:
            page.goto("/console/signin")
            page.fill("#key", site.keys[role])
            page.press("#key", "Enter")
            page.wait_for_url("**/console/overview")
        yield found
        assert found.elsewhere == []
    finally:
        context.close()
