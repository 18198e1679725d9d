"""The overview while no model is selected, and while nothing arrives: what is done, what is next, how long there is."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import msgspec
import pytest

from admin.console.console import Console, make_console
from admin.console.overview.live import overview
from admin.console.overview.setup import room_s
from admin.services import make_services
from operations.views.plant import PlantView
from operations.views.rollout import Worker
from tests.attacks.api import wait_for
from tests.console.conftest import Site
from tests.console.plant import GOOD
from zelador.ledger import Ledger, LedgerSnapshot
from zelador.settings import IngestSettings

Said = Callable[..., str]


@pytest.fixture
def console(site: Site) -> Iterator[Console]:
    services = make_services(site.settings)
    try:
        found = make_console(services)
        wait_for(lambda: found.plant.read().live == 1, "the worker")
        wait_for(lambda: any(each.is_connected for each in found.plant.read().ingesters or ()), "the ingester")
        yield found
    finally:
        services.redis.close()
        services.patient_redis.close()


@pytest.fixture
def said(console: Console) -> Said:
    """What parts of the overview say in English about a view of the plant, as HTML."""
    renderer = console.renderers["en"]

    def parts(view: PlantView, *names: str) -> str:
        shown = overview(console, renderer, "admin", view)
        return html.unescape(" ".join(renderer.macro("overview/parts.html", name, shown) for name in names))

    return parts


def test_the_first_step_that_is_not_done_is_next_and_has_the_main_button(
    site: Site, console: Console, said: Said
) -> None:
    site.plant.publish(GOOD)
    bare = replace(console.plant.read(), selection=None, models=0)

    def steps(view: PlantView, labeled: bool = False) -> tuple[str, list[str], str]:
        """What is next, what the main button is called, and how much is done."""
        console.window.kept.get("has labels", 60.0, lambda: labeled)
        text = said(view, "steps", "steps_done")
        console.window.kept.forget("has labels")
        (following,) = re.findall(r'<li class="next">.*?<h3>(.*?)</h3>', text)
        buttons = re.findall(r'class="btn primary"[^>]*>(.*?)</a>', text)
        return following, buttons, text[-len("0 of 4 done") :]

    assert steps(replace(bare, device_count=0)) == ("Devices publish", [], "0 of 4 done")
    assert steps(bare) == ("Show it what “needs maintenance” looks like", ["See the four ways"], "1 of 4 done")
    assert steps(bare, labeled=True) == ("Train and compare", ["Training"], "2 of 4 done")
    assert steps(replace(bare, models=2)) == ("Select a model", ["Models"], "3 of 4 done")
    topic = site.settings.topics.reading.format(device_id="DEVICE")
    assert f"<code>{topic}</code>" in said(replace(bare, device_count=0), "steps")


def test_a_labeled_period_is_a_label_to_learn_from(site: Site, console: Console, said: Said) -> None:
    bare = replace(console.plant.read(), selection=None, models=0)
    assert "there are none yet" in said(bare, "steps")
    console.window.kept.forget("has labels")
    with site.client("operator") as client:
        label = {"device": "press-07", "from": "2026-11-01T09:00", "to": "2026-11-01T10:00", "label": "yes"}
        assert client.post("/console/labels", data=label).status_code == 303
    assert "there are none yet" not in said(bare, "steps")


def test_without_a_model_only_what_holds_readings_asks_for_a_look(console: Console, said: Said) -> None:
    now = console.plant.read()
    (worker,) = now.workers or ()
    idle: Worker = {**worker, "model": None}
    flow = said(replace(now, selection=None, models=0, workers=(idle,)), "flow")
    assert "no model" in flow
    assert "1 worker is ready" in flow
    assert "nothing yet" in flow
    assert 'class="hold"' not in flow


def test_the_buffer_has_one_line_whether_readings_wait_or_not(console: Console, said: Said) -> None:
    now = console.plant.read()
    assert now.ledger is not None
    for waiting, line in ((0, "empty"), (3, "600 B, oldest 4.0 s")):
        ledger = msgspec.structs.replace(now.ledger.ledger, waiting=waiting)
        begun = 1_000 if waiting else 0
        view = msgspec.structs.replace(
            now.ledger, ledger=ledger, waiting_bytes=200 * waiting, oldest_waiting_at=begun, now=5_000
        )
        station = said(replace(now, ledger=view), "flow").partition("Buffer")[2].partition("</li>")[0]
        assert re.findall("<p>(.*?)</p>", station) == [line]


def test_the_buffer_has_room_until_readings_or_bytes_reach_their_limit() -> None:
    ledger = Ledger(1_000, 1_000, 0, 0, 0, 1_000, 0)
    waiting = LedgerSnapshot(ledger, 0, 0, 0, 0, 1, 0, 0, 2, waiting_bytes=200_000)
    limits = IngestSettings(high_water=3_000, high_water_bytes=1_000_000)
    assert room_s(waiting, 10.0, limits) == 200.0
    assert room_s(waiting, 10.0, limits.model_copy(update={"high_water_bytes": 300_000})) == 50.0
    assert room_s(waiting, 10.0, limits.model_copy(update={"high_water": 500})) == 0.0
    few = msgspec.structs.replace(waiting, ledger=Ledger(9, 9, 0, 0, 0, 9, 0))
    assert room_s(few, 10.0, limits) is None


def test_that_all_devices_are_silent_is_said_while_it_is_so(console: Console, said: Said) -> None:
    """Devices that were silent with all others say so for a minute more; the plant does not."""
    now = console.plant.read()
    one = console.services.devices.page(1, 0)[0][0]
    unknown = replace(one, state="unknown", reason="fleet", silent_since=one.heard_at)
    alarm = replace(one, state="alarm")
    silent = replace(now, not_ok=(unknown,), silent_since=now.at - 90_000)
    assert "All devices have been silent since" in said(silent, "attention")
    assert "nothing has arrived for 1 min 3" in said(silent, "known")
    assert "in alarm before" not in said(silent, "attention")
    assert "silent with all others, last reading" in said(silent, "states")
    counts = {**(now.counts or {}), "alarm": 1}
    both = replace(silent, not_ok=(alarm, unknown), counts=counts)
    assert f"{one.device_id} was in alarm before, and stays in alarm." in said(both, "attention")
    again = replace(silent, silent_since=None)
    assert "All devices" not in said(again, "attention")
    assert "all stages answer" in said(again, "known")
