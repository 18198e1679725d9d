"""Speed of the console with 1,000 live devices and 10,000 models: `python -m benchmarks.console [--minutes N]`.

Uses Debian's Chromium over the loopback. Times on a shared machine vary, so compare CPU times. The limits are for a
quiet machine with two cores.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, Page, sync_playwright

from benchmarks import model as forest
from benchmarks.console_streams import in_a_thread, streams
from benchmarks.measure import machine, snapshot, use
from benchmarks.plant import GOOD, Plant, publishing
from benchmarks.registry import fill
from benchmarks.servers import Stack, await_that, check_programs, product, servers, started, worker_environment
from command.demo.scenarios.by_name import scenario
from command.up.ports import HOST, choose
from operations.key_file import new_key

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--headless", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
PAGES = (
    "overview", "devices", "devices/d-0001", "devices/d-0001/readings", "states/ok", "models", "models?sort=f1",
    "labels", "quarantine", "training", "runs", "classify", "audit", "keys",
)  # fmt: skip
LOADS = 5
LIMITS = {
    "lcp_ms": 800.0, "interaction_ms": 100.0, "red_p99_s": 1.0, "streams_core_at_1": 0.05, "streams_core_at_4": 0.10,
    "worker_ratio": 1.05, "memory_ratio": 1.1,
}  # fmt: skip
ALARM = """
[alarm]
classes = ["yes"]
"""

LCP = """() => new Promise(resolve => {
  let last = 0;
  new PerformanceObserver(list => { for (const each of list.getEntries()) last = each.startTime; })
    .observe({ type: "largest-contentful-paint", buffered: true });
  setTimeout(() => resolve(last), 300);
})"""
INTERACTIONS = """() => {
  window.longest = 0;
  const note = list => {
    for (const each of list.getEntries()) window.longest = Math.max(window.longest, each.duration);
  };
  new PerformanceObserver(note)
    .observe({ type: "event", durationThreshold: 16, buffered: true });
}"""
ALARMS = """() => {
  window.alarms = {};
  const look = () => {
    for (const link of document.querySelectorAll("#attention a, #states .is-alarm a"))
      if (!(link.textContent in window.alarms)) window.alarms[link.textContent] = Date.now();
  };
  look();
  for (const id of ["attention", "states"])
    new MutationObserver(look).observe(document.getElementById(id), { childList: true, subtree: true });
}"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--minutes", type=float, default=10.0, help="for which a tab's memory is watched; 0: not at all"
    )
    parser.add_argument("--models", type=int, default=10_000)
    parser.add_argument("--devices", type=int, default=1_000)
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--only", choices=("memory", "pages"), help="measure nothing else")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    check_programs()
    with tempfile.TemporaryDirectory(prefix="zelador-console-") as name:
        found = measure(Path(name), options)
    found["over"] = {
        key: found[key] for key, most in LIMITS.items() if found.get(key) is not None and found[key] > most
    }
    if options.json:
        print(json.dumps(found))
        return
    for key, value in found.items():
        limit = f"  (limit {LIMITS[key]:g})" if key in LIMITS else ""
        print(f"{key}: {value}{limit}")


def measure(folder: Path, options: argparse.Namespace) -> dict[str, Any]:
    registry = folder / "registry"
    fill(registry, options.models)
    selected = forest.register(registry)
    (folder / "zelador.toml").write_text(ALARM)
    found: dict[str, Any] = {"machine": machine(), "models": options.models, "devices": options.devices}
    with (
        servers(folder) as stack,
        product(stack, registry, selected, lane=True),
        admin(stack, registry, folder) as (url, key),
        publishing(stack.mqtt_url, options.devices) as plant,
        sync_playwright() as playwright,
    ):
        client = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=30.0)
        for number in range(options.devices):
            plant.publish(f"d-{number:04d}", GOOD)
        await_that(lambda: client.get("/v1/devices?limit=1").json()["total"] >= options.devices, [], "the devices")
        plant.rate = 100.0
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = opened(browser, url, key)
        if options.only != "memory":
            found |= pages(browser, page, url, key)
        if options.only is None:
            plant.rate = 20.0
            found |= red(page, plant, bad_reading(client))
            plant.rate = 100.0
            found |= worker(stack, plant, page)
            page.goto("about:blank")
            found |= in_a_thread(lambda: streams(stack, plant, url, key, options.streams))
        plant.rate = 20.0
        if options.minutes and options.only != "pages":
            found |= memory(page, url, options.minutes)
        browser.close()
        client.close()
    return found


@contextlib.contextmanager
def admin(stack: Stack, registry: Path, folder: Path) -> Iterator[tuple[str, str]]:
    """`zelador api`, its URL and an admin's key."""
    port = choose(["api"], {}, {})["api"]
    keys = folder / "keys.json"
    _, key = new_key(keys, "admin")
    environment = worker_environment(os.environ, stack, registry, lane=True)
    environment |= {
        "ZELADOR_API__PORT": str(port),
        "ZELADOR_API__KEYS_FILE": str(keys),
        "ZELADOR_API__CONNECTIONS": "1000",
        "ZELADOR_API__RATE_PER_S": "1000",
        "ZELADOR_API__RATE_BURST": "1000",
    }
    with started("admin", [sys.executable, "-m", "zelador", "api"], folder, environment) as program:
        url = f"http://{HOST}:{port}"
        await_that(lambda: answers(url), [program], "the admin server")
        stack.programs["admin"] = program
        yield url, key
        del stack.programs["admin"]


def answers(url: str) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{url}/healthz", timeout=5.0).status_code == 200
    return False


def opened(browser: Browser, url: str, key: str) -> Page:
    page = browser.new_context(viewport={"width": 1440, "height": 900}, base_url=url).new_page()
    page.goto("/console/signin")
    page.fill("#key", key)
    page.press("#key", "Enter")
    page.wait_for_url("**/console/overview")
    return page


def pages(browser: Browser, page: Page, url: str, key: str) -> dict[str, Any]:
    """The largest contentful paint of each page (median of LOADS loads, and one with an empty cache), and the time from
    typing or clicking to the next paint.
    """
    by_page = {}
    for path in PAGES:
        times = []
        for _ in range(LOADS):
            page.goto(f"/console/{path}")
            times.append(float(page.evaluate(LCP)))
        by_page[path] = round(statistics.median(times))
    fresh = opened(browser, url, key)
    cold = round(float(fresh.evaluate(LCP)))
    fresh.context.close()
    longest = {}
    page.goto("/console/overview")
    page.evaluate(INTERACTIONS)
    for _ in range(6):
        page.get_by_role("button", name="Pause").click()
        page.wait_for_timeout(150)
    longest["pause"] = float(page.evaluate("window.longest"))
    page.goto("/console/classify")
    page.evaluate(INTERACTIONS)
    page.locator(".input-row input").first.press_sequentially("123.45", delay=60)
    page.wait_for_timeout(200)
    longest["type a value"] = float(page.evaluate("window.longest"))
    page.goto("/console/devices/d-0001")
    page.evaluate(INTERACTIONS)
    page.get_by_role("link", name="Shelve…").click()
    page.wait_for_timeout(200)
    longest["open a dialog"] = float(page.evaluate("window.longest"))
    return {
        "lcp_ms": max(by_page.values()),
        "lcp_by_page_ms": by_page,
        "lcp_cold_ms": cold,
        "interaction_ms": max(longest.values()),
        "interactions_ms": longest,
    }


def bad_reading(client: httpx.Client) -> dict[str, float]:
    """The reading of the scenario with the highest probability of an alarm."""
    machines = scenario("machines", forest.SEED)
    rows = [dict(sample.values) for sample in machines.history if sample.label == "yes"][:200]
    answered = client.post("/v1/classify", json={"readings": rows})
    answered.raise_for_status()
    shares = [(each["probabilities"] or {}).get("yes", 0.0) for each in answered.json()["predictions"]]
    return rows[shares.index(max(shares))]


def red(page: Page, plant: Plant, bad: dict[str, float], alarms: int = 60) -> dict[str, Any]:
    """The time from the reading that turns an alarm on until the page shows the alarm."""
    page.goto("/console/overview")
    page.wait_for_timeout(1_000)
    page.evaluate(ALARMS)
    sent = {}
    for number in range(alarms):
        name = f"d-{number + 500:04d}"
        for _ in range(3):
            plant.publish(name, bad)
        sent[name] = time.time() * 1000
        page.wait_for_timeout(350)
    page.wait_for_timeout(2_000)
    seen: dict[str, float] = page.evaluate("window.alarms")
    waits = sorted((seen[name] - at) / 1000 for name, at in sent.items() if name in seen)
    found: dict[str, Any] = {"alarms_published": alarms, "alarms_shown": len(waits)}
    if waits:
        found |= {
            "red_p50_s": round(waits[len(waits) // 2], 3),
            "red_p99_s": round(waits[min(len(waits) - 1, int(len(waits) * 0.99))], 3),
        }
    return found


def worker(stack: Stack, plant: Plant, page: Page, rounds: int = 4, seconds: float = 6.0) -> dict[str, Any]:
    """CPU time of a reading in ingest and inference, with and without an open overview, in turn."""
    pids = {name: stack.programs[name].pid for name in ("ingest", "inference", "redis")}
    spent: dict[str, list[float]] = {"open": [], "closed": []}
    for _ in range(rounds):
        for state, path in (("closed", "about:blank"), ("open", "/console/overview")):
            page.goto(path)
            time.sleep(1.0)
            before = snapshot(pids, plant.sent)
            time.sleep(seconds)
            after = snapshot(pids, plant.sent)
            cpu = use(before, after).cpu_us
            spent[state].append(cpu["inference"] + cpu["ingest"])
    ratios = [a / b for a, b in zip(spent["open"], spent["closed"], strict=True)]
    return {
        "worker_us_closed": [round(each) for each in spent["closed"]],
        "worker_us_open": [round(each) for each in spent["open"]],
        "worker_ratio": round(statistics.median(ratios), 3),
    }


def memory(page: Page, url: str, minutes: float) -> dict[str, Any]:
    """The heaps of a tab with the overview, after collecting garbage, from the second minute on: of its scripts, and of
    the browser's own objects for the page, such as nodes and styles.
    """
    page.goto(f"{url}/console/overview")
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def heap() -> tuple[float, float]:
        session.send("HeapProfiler.collectGarbage")
        used = session.send("Runtime.getHeapUsage")
        metrics = {each["name"]: each["value"] for each in session.send("Performance.getMetrics")["metrics"]}
        parts = ("usedSize", "embedderHeapUsedSize", "backingStorageSize")
        return sum(used[name] for name in parts) / 1e6, metrics["Nodes"]

    samples = []
    end = time.monotonic() + 60 * minutes
    page.wait_for_timeout(min(60_000, 30_000 * minutes))
    while time.monotonic() < end:
        samples.append(heap())
        page.wait_for_timeout(15_000)
    samples.append(heap())
    return {
        "memory_minutes": minutes,
        "memory_mb": [round(each, 2) for each, _ in samples],
        "memory_ratio": round(statistics.median(_last(samples)) / statistics.median(_first(samples)), 3),
        "nodes": (samples[0][1], samples[-1][1]),
    }


def _first(samples: Sequence[tuple[float, float]]) -> list[float]:
    return [each for each, _ in samples[: max(1, len(samples) // 4)]]


def _last(samples: Sequence[tuple[float, float]]) -> list[float]:
    return [each for each, _ in samples[-max(1, len(samples) // 4) :]]


if __name__ == "__main__":
    main()
