"""The console in a real browser: live, with a keyboard, under a strict policy, for everyone."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, Route, expect

from tests.attacks.api import wait_for
from tests.console.conftest import Site, Window, window
from tests.console.ended_runs import CLEAR, ENDED
from tests.console.plant import BAD, GOOD

AXE = (Path(__file__).parents[1] / "support" / "axe" / "axe.min.js").read_text(encoding="utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
PAGES = (
    "overview", "devices", "devices/press-07", "labels", "labels/import", "quarantine", "models", "models/small",
    "models/other", "models/other/select", "models/other/delete", "import", "training", "runs", "classify", "audit",
    "keys", "nowhere", "alarms/acknowledge", f"runs/{CLEAR}",
)  # fmt: skip
SELDOM = (
    *(f"runs/{run}" for run in ENDED[1:]), f"runs/{CLEAR}/by/MCC", f"training/like/{CLEAR}", "rollback",
    "devices/press-07/readings", "devices/press-07/shelve", "devices/press-07/retire", "states/retired",
    "models?q=nothing", "labels?q=nothing", "audit?q=nothing", "devices?q=nothing", "runs?q=no such run",
)  # fmt: skip
RAIL_COUNTS = """() => parseInt(document.querySelector("#alarms-count .alarm")?.textContent) ===
    parseInt(document.querySelector("#watch .alarm").textContent)"""


@pytest.fixture(scope="module")
def admin(chromium: Browser, site: Site) -> Iterator[Window]:
    with window(chromium, site, "admin") as found:
        yield found


def alarm(site: Site, device: str) -> None:
    now = time.time_ns() // 1_000_000
    for step in range(8):
        site.plant.publish(BAD, device, ts=now + step)


def findings(page: Page) -> list[str]:
    """The findings of axe, which the debugger runs, because the page's policy would not allow it."""
    page.evaluate(AXE)
    found: dict[str, Any] = page.evaluate(
        "tags => axe.run(document, {runOnly: tags}).then(r => ({violations: r.violations}))", RULES
    )
    return [f"{each['id']}: {each['nodes'][0]['html'][:160]}" for each in found["violations"]]


def test_an_alarm_is_red_on_the_open_page_and_can_be_acknowledged(chromium: Browser, site: Site) -> None:
    with window(chromium, site, "operator") as found:
        page = found.open("/console/overview")
        expect(page.locator("#clock")).not_to_have_text(page.inner_text("#clock"))  # live
        known = int(page.inner_text("#known").split()[0])
        site.plant.publish(GOOD, "rail-1")
        expect(page.locator("#known")).to_contain_text(f"{known + 1} devices")
        alarm(site, "pump-12")
        shout = page.locator(".attention .who a", has_text="pump-12")
        expect(shout).to_be_visible()
        expect(page.locator("#watch .alarm")).to_contain_text("in alarm")
        page.wait_for_function(RAIL_COUNTS)
        expect(page.locator("#say")).to_contain_text("pump-12")
        shout.click()
        page.wait_for_url("**/console/devices/pump-12")
        page.get_by_role("button", name="Acknowledge").click()
        expect(page.locator(".runline .acknowledged")).to_be_visible()
        expect(page.locator("#said")).to_be_focused()  # the button is gone
        for button in ("Dark", "PT", "EN"):
            page.get_by_role("button", name=button, exact=True).press("Enter")
            expect(page.get_by_role("button", name=button, exact=True)).to_have_attribute("aria-pressed", "true")
            expect(page.locator(":focus")).to_have_accessible_name(button)
        page.get_by_role("link", name="Shelve…").click()
        dialog = page.get_by_role("dialog")
        expect(dialog).to_be_visible()
        page.keyboard.press("Escape")
        expect(dialog).to_be_hidden()
        assert found.said == []


def test_a_live_region_keeps_the_focus_of_the_keyboard(chromium: Browser, site: Site) -> None:
    """The region is sent again with each reading; without care, a focused link in it would lose the focus."""
    with window(chromium, site, "viewer") as found:
        page = found.open("/console/overview")
        alarm(site, "lathe-44")
        link = page.locator(".attention .btn").first
        link.focus()
        site.plant.publish({**BAD, "vibration": 4.44}, "lathe-44")
        expect(page.locator("#attention")).to_contain_text("4.44")
        expect(page.locator(".attention .btn").first).to_be_focused()


def test_a_model_is_selected_in_a_dialog_and_seen_on_the_worker(chromium: Browser, site: Site) -> None:
    """Everything is done by keyboard."""
    with window(chromium, site, "operator") as found:
        page = found.open("/console/models/other")
        page.get_by_role("link", name="Select…").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_contain_text("You can go back to the model before")
        page.get_by_role("button", name=re.compile("Select for")).focus()
        page.keyboard.press("Enter")
        expect(page.locator("#rollout")).to_contain_text("Live on 1 of 1")
        expect(page.locator("#watch")).to_contain_text("other")
        page.get_by_role("link", name="Roll back…").focus()
        page.keyboard.press("Enter")
        expect(page.get_by_role("dialog")).to_contain_text("Roll back to small?")
        page.get_by_label("Why (kept in the log)").fill("too many alarms")
        page.keyboard.press("Enter")
        page.wait_for_url("**/console/models/small")
        expect(page.locator("#rollout")).to_contain_text("Live on 1 of 1")
        assert found.said == []


def test_the_cost_of_an_error_moves_the_threshold_while_it_is_typed(chromium: Browser, site: Site) -> None:
    with window(chromium, site, "operator") as found:
        page = found.open(f"/console/runs/{CLEAR}")
        answer, cost = page.locator("#thr-answer"), page.get_by_label("Cost of a missed reading")
        expect(answer).to_contain_text("With the costs of this run")
        cost.fill("3")
        expect(answer).to_contain_text("from a probability of 0.25")
        expect(cost).to_be_focused()
        cost.fill("3x")
        expect(answer).to_contain_text("Not calculated")
        expect(cost).to_have_accessible_description("Write a number above 0.")
        expect(cost).to_be_focused()
        page.get_by_role("button", name="Calculate").click()
        expect(cost).to_be_focused()  # the press took the focus, and the answer gave it back
        expect(cost).to_have_attribute("aria-invalid", "true")
        page.get_by_label("Or find at least, %").fill("95")
        cost.fill("3")
        expect(answer).to_contain_text("--recall 0.95")
        expect(cost).not_to_have_attribute("aria-invalid", "true")
        answer.get_by_role("link", name="Train again with these costs").click()
        expect(page.get_by_label("Or find at least, %")).to_have_value("95")
        assert found.said == []


def test_a_name_that_is_typed_for_a_candidate_chooses_it(chromium: Browser, site: Site) -> None:
    with window(chromium, site, "operator") as found:
        page = found.open(f"/console/runs/{CLEAR}")
        page.locator("#note2").press_sequentially("for later")
        expect(page.locator("#keep2")).to_be_checked()
        expect(page.locator("#keep1")).not_to_be_checked()
        expect(page.get_by_role("button", name="Save 1 model")).to_be_visible()
        page.locator("#keep2").uncheck()
        expect(page.get_by_role("button", name="Save the chosen ones")).to_be_visible()
        assert found.said == []


def test_predictions_appear_and_can_be_paused(chromium: Browser, site: Site) -> None:
    with window(chromium, site, "viewer") as found, site.client("viewer") as other:
        page = found.open("/console/overview")

        def of(lux: int) -> Locator:  # the whole cell: times and confidences have any digits
            return page.locator("#feed").get_by_role("cell", name=str(lux), exact=True)

        site.plant.publish({**GOOD, "lux": 411.0}, "press-07")
        expect(of(411)).to_be_visible()
        page.get_by_role("button", name="Pause").click()
        site.plant.publish({**GOOD, "lux": 487.0}, "press-07")
        wait_for(lambda: ">487</td>" in other.get("/console/overview").text, "the row on a page that is not paused")
        for _ in range(2):
            expect(page.locator("#clock")).not_to_have_text(page.inner_text("#clock"))
        expect(of(487)).to_have_count(0)
        page.get_by_role("button", name="Pause").click()
        site.plant.publish({**GOOD, "lux": 466.0}, "press-07")
        expect(of(466)).to_be_visible()
        assert found.said == []


def test_a_page_says_when_it_is_no_longer_live_and_when_its_session_ended(chromium: Browser, site: Site) -> None:
    with window(chromium, site, "viewer") as found:
        page = found.open("/console/models")
        expect(page.locator("#clock")).not_to_have_text(page.inner_text("#clock"))
        page.context.set_offline(True)
        page.evaluate("document.querySelector('#stream')._htmx.sse.reader.cancel()")
        expect(page.locator("#late")).to_contain_text("Not live since")
        page.context.set_offline(False)
        expect(page.locator("#late")).to_be_hidden()


def test_the_clock_goes_on_until_the_first_tick_and_late_says_the_time_of_the_page(
    chromium: Browser, site: Site
) -> None:
    with window(chromium, site, "viewer") as found:
        found.page.route("**/console/stream/**", lambda _: None)  # no answer
        page = found.open("/console/models")
        begin = page.inner_text("#clock")
        expect(page.locator("#clock")).not_to_have_text(begin)
        expect(page.locator("#late")).to_contain_text(begin)


def test_signing_in_with_a_wrong_key_then_a_right_one_and_out(chromium: Browser, site: Site) -> None:
    with window(chromium, site, None) as found:
        page = found.open("/console/signin")
        page.fill("#key", "zlk_wrong")
        page.keyboard.press("Enter")
        expect(page.get_by_text("This key is not valid")).to_be_visible()
        page.fill("#key", site.keys["viewer"])
        page.keyboard.press("Enter")
        page.wait_for_url("**/console/overview")
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url("**/console/signin")
        page.goto("/console/overview")
        assert "/console/signin" in page.url


def test_classifying_in_portuguese_on_a_phone(chromium: Browser, site: Site) -> None:
    phone = {"viewport": {"width": 390, "height": 844}, "locale": "pt-BR"}
    with window(chromium, site, "viewer", **phone) as found:
        page = found.open("/console/overview")
        page.get_by_role("button", name="Menu").click()
        page.get_by_role("link", name="Classificar à mão").click()
        page.get_by_role("link", name="other").click()
        page.get_by_label("Lux").fill("400")
        page.get_by_label("Vibração").fill("5,2")
        mark = page.locator("[data-marker]").last
        page.get_by_label("Vibração").fill("12abc")
        expect(mark).to_have_attribute("visibility", "hidden")
        page.get_by_label("Vibração").fill("5,2")
        expect(mark).to_have_attribute("visibility", "visible")
        page.get_by_label("Temperatura").fill("-400")
        page.keyboard.press("Enter")
        expect(page.locator(".error")).to_have_text("Baixo demais: no mínimo −100 °C.")
        expect(page.get_by_label("Temperatura")).to_be_focused()
        page.get_by_label("Temperatura").fill("95,5")
        expect(page.locator(".warn:visible")).to_contain_text("Fora do que o modelo já viu")
        page.keyboard.press("Enter")
        expect(page.locator(".answer")).to_have_text("Precisa de manutenção")
        expect(page.locator(".caution")).to_contain_text("95,5")
        expect(page.locator("html")).to_have_attribute("lang", "pt-BR")
        assert not [said for said in found.said if "422" not in said]


ALL = os.environ.get("TEST_CONSOLE") == "1"  # make test-console
EN, PT = "en-US", "pt-BR"
LOOKS = [("light", 1440, EN), ("dark", 390, PT)] + (
    [("dark", 1440, PT), ("light", 360, PT), ("light", 390, EN), ("dark", 360, EN), ("dark", 2560, EN)] if ALL else []
)
WIDE = """width => [...document.querySelectorAll("body *")]
  .filter(each => each.getBoundingClientRect().right > width + 0.5)
  .map(each => each.outerHTML.slice(0, 160)).slice(0, 9)"""


BROKEN = r"""() => {
  const found = [], part = document.createRange();
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let text; (text = texts.nextNode());) for (const each of text.data.matchAll(/[^\s–]+–\u2060?[^\s–]+/g)) {
    part.setStart(text, each.index);
    part.setEnd(text, each.index + each[0].length);
    if (new Set([...part.getClientRects()].map(line => Math.round(line.top))).size > 1) found.push(each[0]);
  }
  return found;
}"""  # ranges, such as 0.4–1.1, that stand on two lines


def labels_just_made(page: Page) -> list[str]:
    """The pages after a label was added, and of a table before it is imported."""
    page.goto("/console/labels")
    page.fill("#ld", "press-79")
    page.fill("#lf", "2026-11-20T10:00:00")
    page.check("form.stack [name=open]")
    page.fill("#ln", str(time.time()))
    page.locator("form.stack input[name=label]").first.check(force=True)
    page.locator("form.stack button").click()
    page.wait_for_url("**/labels?done=*")
    found = [page.url.partition("/console/")[2]]
    page.goto("/console/labels/import")
    rows = f"asset,start,end,state\npress-77,2026-11-20 10:00,,yes\nmill-03,{'x' * 50},,no\n"
    page.set_input_files("#file", {"name": "orders.csv", "mimeType": "text/csv", "buffer": rows.encode()})
    page.locator("form.importrow button").click()
    page.wait_for_url("**/labels/import/*")
    return [*found, page.url.partition("/console/")[2]]


@pytest.mark.parametrize(("scheme", "width", "language"), LOOKS)
def test_axe_finds_nothing_and_no_page_is_wider_than_its_window(
    chromium: Browser, site: Site, scheme: str, width: int, language: str
) -> None:
    look = {"viewport": {"width": width, "height": 900}, "color_scheme": scheme, "locale": language}
    with window(chromium, site, "admin", **look) as found:
        wrong = {}
        for path in (*PAGES, *(SELDOM if ALL else ()), *(labels_just_made(found.page) if ALL else ())):
            found.page.goto(f"/console/{path}")
            if faults := findings(found.page):
                wrong[path] = faults
            if (inner := found.page.evaluate("document.documentElement.scrollWidth")) > width:
                wrong[f"{path}, width"] = [str(inner), *found.page.evaluate(WIDE, width)]
            if broken := found.page.evaluate(BROKEN):
                wrong[f"{path}, ranges"] = broken
        for path, opener in (("models/other", 0), ("models/other", 1), ("devices/press-07", 0)):
            found.page.goto(f"/console/{path}")
            found.page.locator("[data-open]").nth(opener).click()
            if faults := findings(found.page):
                wrong[f"{path}, dialog {opener}"] = faults
        if said := [each for each in found.said if "404 (Not Found)" not in each]:  # of the page that does not exist
            wrong["said by the browser"] = said
        assert not wrong, json.dumps(wrong, indent=1)
    with window(chromium, site, None, **look) as found:
        found.page.goto("/console/signin")
        assert findings(found.page) == []
        found.page.goto("/docs?q=quarantine replay")
        found.page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true; })")
        assert findings(found.page) == []
        assert found.page.evaluate("document.documentElement.scrollWidth") <= width


def test_without_scripts_a_page_shows_everything(chromium: Browser, site: Site) -> None:
    with window(chromium, site, "admin", java_script_enabled=False) as found:
        page = found.open("/console/overview")
        expect(page.locator("[data-chart=rate] svg[role=img]")).to_be_visible()
        expect(page.locator("#feed table")).to_be_visible()
        found.open("/console/labels")
        page.fill("#ld", "press-07")
        page.fill("#lf", "2026-11-20T10:00:00")
        page.fill("#lt", "2026-11-20T09:00:00")
        page.fill("#ln", "W9")
        page.get_by_role("radio", name="no", exact=True).check(force=True)
        page.locator("button[data-readings]").click()
        expect(page.locator("#lt-why")).to_contain_text("is not after")
        expect(page.locator("#lt")).to_be_focused()
        filled = [page.input_value(f"#{name}") for name in ("ld", "lf", "lt", "ln")]
        assert filled == ["press-07", "2026-11-20T10:00", "2026-11-20T09:00", "W9"]
        found.open("/console/models/other")
        page.get_by_role("link", name="Select…").click()
        page.wait_for_url("**/console/models/other/select")
        page.get_by_role("link", name="Keep the current model").click()
        page.wait_for_url("**/console/models/other")


def spiked(route: Route) -> None:
    """The page with an axis of the latency that ends at 7.5, and the values of a spike above it."""
    answer = route.fetch()
    body = re.sub(r'"columns":\[.*?\]\]', '"columns":[[1,2,3],[5,5,5],[2,2,2],[6,900,6]]', answer.text())
    route.fulfill(response=answer, body=re.sub(r'"latency":\[[\d.]+,"[^"]*"\]', '"latency":[7.5,"1 value"]', body))


@pytest.mark.skipif(not ALL, reason="slow; set TEST_CONSOLE=1")
def test_a_chart_ends_where_the_server_says_and_follows_it(chromium: Browser, site: Site) -> None:
    with window(chromium, site, "viewer") as found:
        found.page.route("**/console/overview", spiked)
        found.page.route("**/console/stream/**", lambda route: route.abort())  # only what is told below
        page = found.open("/console/overview")
        expect(page.locator("[data-chart=latency] .uplot")).to_be_visible()
        ends = "charts.map(([chart]) => chart.scales.y.max)"
        assert page.evaluate(ends)[1] == 7.5
        note = page.locator("[data-above=latency]")
        expect(note).to_be_hidden()
        told = '{columns: [[4], [5], [2], [6]], charts: {rate: [9, ""], latency: [8, "2 values are above the axis"]}}'
        page.evaluate(f"append({told})")
        expect(note).to_have_text("2 values are above the axis")
        assert page.evaluate(ends) == [9, 8]
        page.evaluate(f"append({told.replace('2 values are above the axis', '')})")
        expect(note).to_be_hidden()
        assert [said for said in found.said if "ERR_FAILED" not in said and "to fetch" not in said] == []
