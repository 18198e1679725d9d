"""The history on the page of a device: its periods, without JavaScript, and what it cannot show."""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Route, expect

from tests.archives import archive_buffer
from tests.attacks.api import wait_for
from tests.console.conftest import Site, serving, window
from tests.console.outline import Outline
from tests.console.plant import BAD, GOOD
from zelador.buffer import connect_redis
from zelador.buffer.keys import Keys

ALL = os.environ.get("TEST_CONSOLE") == "1"  # make test-console
pytestmark = pytest.mark.skipif(not ALL, reason="make test-console: a plant of its own, with an archive")

COUNT = 40


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, redis_url: str, mqtt_url: str) -> Iterator[Site]:
    """A console with an archive; press-07 sent readings over the last two hours, some of which are in the archive."""
    folder = tmp_path_factory.mktemp("history")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZELADOR_ARCHIVE__URL", str(folder / "archive"))
        patch.setenv("ZELADOR_DATASETS__CACHE", str(folder / "datasets"))
        with serving(folder, redis_url, mqtt_url) as found:
            begin = time.time() - 7_200
            for step in range(COUNT):
                values = BAD if 10 <= step < 14 else GOOD
                found.plant.publish(values, ts=int(1000 * (begin + 175 * step)))
            with found.client("viewer") as client:
                path = "/v1/devices/press-07"
                wait_for(lambda: client.get(path).json().get("readings", 0) >= COUNT + 1, "the readings")
            prefix = found.settings.redis.prefix
            with contextlib.closing(connect_redis(found.settings.redis)) as redis:
                entries: Any = redis.xrange(Keys(prefix).readings, count=20)
                archive_buffer(folder / "archive", redis, prefix, found.settings.features, entries[-1][0].decode())
            yield found


def period_of(link: str) -> str:
    return link.partition("=")[2].partition("#")[0]


def chosen(page: Outline) -> list[str]:
    """The period that is marked as the one shown."""
    return [
        period_of(str(each["href"]))
        for each in page.of("a")
        if "range=" in str(each.get("href")) and each.get("aria-current")
    ]


def test_each_period_is_a_link_and_has_a_chart_without_javascript(site: Site) -> None:
    with site.client("viewer") as client:
        page = Outline(client.get("/console/devices/press-07").text)
        links = [
            str(each["href"])
            for each in page.of("a")
            if "?range=" in str(each.get("href")) and "readings" not in str(each["href"])
        ]
        periods = [period_of(link) for link in links]
        assert periods == ["1h", "6h", "24h", "7d"]
        for link, period in zip(links, periods, strict=True):
            answer = client.get(link)
            assert chosen(Outline(answer.text)) == [period]
            assert answer.text.count('class="p-line"') >= 3
            assert re.search(r"20\d\d|\d\d:\d\d", answer.text) and "UTC−3" in answer.text
        wide = client.get("/console/devices/press-07?range=6h").text
        assert re.search(r"Vibration of press-07, [^:]+:\d\d[^:]*:\d\d UTC−3: 0\.40 to 5\.90", wide)
        assert client.get("/console/devices/press-07?range=nonsense").status_code == 200
        said = "The first reading that is kept was at"
        assert said in client.get("/console/devices/press-07?range=24h").text
        assert said not in client.get("/console/devices/press-07?range=1h").text


def test_a_period_is_shown_as_a_table_and_as_json(site: Site) -> None:
    with site.client("viewer") as client:
        table = client.get("/console/devices/press-07/readings?range=6h")
        assert "Each row: the mean of a part" in table.text and f"{COUNT + 1} readings." in table.text
        assert "5.90" in table.text
        points = client.get("/console/devices/press-07/points?range=6h").json()
        low, unit, steps, means, below, above = points["values"]["vibration"]
        assert len(steps) == len(means) == len(below) == len(above) and min(steps[1:]) >= 1
        assert points["to"] - points["step"] <= points["from"] + points["step"] * (sum(steps) + 1)
        assert (low, min(m - b for m, b in zip(means, below, strict=True))) == (0.4, 0)
        assert low + unit * max(m + a for m, a in zip(means, above, strict=True)) == pytest.approx(5.9, abs=unit)
        twin = client.get("/v1/devices/press-07/history").json()
        assert twin["readings"] == COUNT + 1 and twin["notes"] == []
        assert client.get("/v1/devices/none/history").status_code == 404
        assert client.get("/v1/devices/press-07/history?from=2026-11-24T10:00:00").status_code == 422


def test_a_typed_period_is_shown_labeled_and_shown_again(site: Site) -> None:
    begin, end = (
        time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() - 3 * 3600 - ago)) for ago in (7_000, 3_000)
    )
    with site.client("operator") as client:
        shown = client.get("/console/devices/press-07", params={"from": begin, "to": end})
        assert shown.status_code == 200 and chosen(Outline(shown.text)) == []
        view = next(
            str(each["value"])
            for each in Outline(shown.text).of("input")
            if each.get("name") == "page" and "devices" in str(each["value"])
        )
        wanted = {"device": "press-07", "from": begin, "to": end, "label": "yes", "back": "device", "page": view}
        added = client.post("/console/labels", data=wanted)
        assert added.status_code == 303
        assert "from=" in added.headers["location"] and "to=" in added.headers["location"]
        again = client.get(added.headers["location"])
        assert "labeled “yes”" in again.text and 'class="p-alarmfill"' in again.text
        hostile = client.post(
            "/console/labels", data={**wanted, "note": "b", "page": "//evil.example/?next=//evil.example&range=7d"}
        )
        assert re.fullmatch(r"/console/devices/press-07\?done=\w+&range=7d#done", hostile.headers["location"])
        for year in ("1970", "9999"):
            far = {"from": f"{year}-12-30T10:00", "to": f"{year}-12-30T11:00"}
            assert "No reading of this period." in client.get("/console/devices/press-07", params=far).text
        assert "lie in the years" in client.get("/console/devices/press-07?from=0001-01-01T10:00").text
        for wrong, said in (
            ({"from": "soon"}, "is not a time"),
            ({"from": end, "to": begin}, "is not after"),
            ({"to": end}, "at which the period starts"),
        ):
            refused = client.get("/console/devices/press-07", params=wrong)
            assert refused.status_code == 422 and said in refused.text
            assert all(f'value="{typed}"' in refused.text for typed in wrong.values())


def test_an_archive_that_cannot_be_read_is_a_sentence(site: Site) -> None:
    log = next((Path(site.settings.archive.url) / "log").iterdir())
    whole = log.read_bytes()
    with site.client("viewer") as client:
        log.write_bytes(b"{")
        try:
            page = client.get("/console/devices/press-07?from=2026-11-20T00:00", headers={"Accept-Language": "pt-BR"})
        finally:
            log.write_bytes(whole)
    assert page.status_code == 200
    assert "O arquivo histórico não pode ser lido agora" in page.text


def more_often(route: Route) -> None:
    answer = route.fetch()
    route.fulfill(response=answer, body=answer.text().replace('data-every="15"', 'data-every="0.5"'))


def test_an_open_page_goes_on_with_a_period_until_now(chromium: Browser, site: Site) -> None:
    with window(chromium, site, "operator") as found:
        found.page.route("**/devices/press-07?range=1h", more_often)
        page = found.open("/console/devices/press-07?range=1h")
        page.fill("#label-to", page.locator("#label-from").input_value())
        with page.expect_response("**/devices/press-07/points?range=1h") as answer:
            pass
        assert answer.value.status == 200
        expect(page.locator("[data-device-chart] .uplot").first).to_be_visible()
        assert found.said == []


@pytest.mark.skipif(not ALL, reason="slow; set TEST_CONSOLE=1")
@pytest.mark.parametrize("has_scripts", [True, False])
def test_the_states_are_below_the_part_of_the_chart_that_they_are_about(
    chromium: Browser, site: Site, has_scripts: bool
) -> None:
    with window(chromium, site, "viewer", java_script_enabled=has_scripts) as found:
        page = found.open("/console/devices/press-07?range=1h")
        plot = page.locator(".chart .u-over" if has_scripts else ".chart .axes > .spark").first.bounding_box()
        lane = page.locator(".lane").bounding_box()
        assert plot is not None
        assert lane is not None
        assert (round(plot["x"]), round(plot["width"])) == (round(lane["x"]), round(lane["width"]))
        if not has_scripts:
            assert page.locator(".axes").first.locator(".along text").count() > 1
            assert page.locator(".axes").first.locator(".up text").count() > 1


@pytest.mark.skipif(not ALL, reason="slow; set TEST_CONSOLE=1")
def test_a_chart_says_the_time_and_the_values_under_the_pointer(chromium: Browser, site: Site) -> None:
    text = re.compile(r"^\d\d:\d\d:\d\d: [\d.,]+( \([\d.,]+ – [\d.,]+\))?$")
    with window(chromium, site, "viewer") as found:
        page = found.open("/console/devices/press-07?range=1h")
        plots = page.locator(".u-over")
        place = plots.first.bounding_box()
        assert place is not None
        line = plots.first.locator(".readout")
        times = set()
        for share, side in ((0.98, "readout left"), (0.3, "readout")):  # where the pointer is not
            page.mouse.move(place["x"] + share * place["width"], place["y"] + 30)
            expect(line).to_have_class(side)
            expect(line).to_have_text(text)
            times.add((line.text_content() or "")[:8])
        assert len(times) == 2
        for each in plots.locator(".readout").all()[1:]:  # the charts below move with it
            expect(each).not_to_be_empty()
        page.mouse.move(5, 5)
        expect(line).to_be_empty()
        assert found.said == []


def test_the_last_reading_of_a_silent_device_is_read_from_the_archive(site: Site) -> None:
    with contextlib.closing(connect_redis(site.settings.redis)) as redis, site.client("viewer") as client:
        key = Keys(site.settings.redis.prefix).readings
        archived: Any = redis.xrange(key, count=20)
        kept = [(name, fields) for name, fields in archived if b"pump-12" in b"".join(fields.values())]
        assert redis.xdel(key, *(name for name, _ in kept)) > 0
        page = client.get("/console/devices/pump-12").text
        last = page.partition('id="dev-last"')[2].partition("</section>")[0]
        assert re.search(r"Temperature</dt><dd[^>]*>45.0<", last), last
