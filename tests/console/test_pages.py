"""Every page without JavaScript: it can be read, its links lead somewhere, it is small."""

from __future__ import annotations

import gzip
import re
import socket
import time
from collections.abc import Iterator
from urllib.parse import urljoin

import httpx
import pytest

from admin.service import _listen
from registry.registry import Registry
from tests.attacks.api import wait_for
from tests.console.conftest import Site
from tests.console.ended_runs import CANCELLED, CLEAR, ENDED, LATE, TIED
from tests.console.outline import Outline, shape
from tests.console.plant import BAD
from tests.small_models import upload

RAIL = ("overview", "devices", "labels", "quarantine", "models", "training", "runs", "classify")
ADMINS = ("audit", "keys")
MORE = (
    "models/other", "models/other/select", "models/other/delete", "import", "devices/press-07",
    "devices/press-07/readings", "devices/press-07/events", "devices/press-07/shelve", "devices/press-07/retire",
    "states/alarm", "states/retired",
    "classify/by/other", "labels/import", "alarms/acknowledge", f"runs/{CLEAR}/by/MCC",
    *(f"runs/{run}" for run in ENDED),
)  # fmt: skip
WRONG = {"nowhere": 404, "models/none": 404, "runs/none": 404, "devices/none": 404, "models?offset=x": 422}
BINARY = ("application/zip", "font/woff2")
KB = 1_024


@pytest.fixture(scope="module", params=["en", "pt-BR"])
def reader(site: Site, request: pytest.FixtureRequest) -> Iterator[httpx.Client]:
    with site.client("admin", **{"Accept-Language": request.param}) as client:
        yield client


@pytest.fixture(scope="module")
def alarm(site: Site) -> str:
    """A device that is in alarm."""
    device, now = "anvil-01", time.time_ns() // 1_000_000
    for step in range(8):
        site.plant.publish(BAD, device, ts=now + step)
    with site.client("operator") as client:
        wait_for(lambda: client.get(f"/v1/devices/{device}").json().get("state") == "alarm", "the alarm")
    return device


@pytest.mark.parametrize("path", (*RAIL, *ADMINS, *MORE))
def test_a_page_can_be_read(reader: httpx.Client, path: str) -> None:
    answer = reader.get(f"/console/{path}")
    assert answer.status_code == 200, answer.text[-600:]
    page = shape(answer)
    assert page.of("html")[0]["lang"] == reader.headers["accept-language"]


def test_a_run_says_its_verdict_once_in_the_reader_s_language(reader: httpx.Client) -> None:
    text = reader.get(f"/console/runs/{TIED}").text
    is_english = reader.headers["accept-language"] == "en"
    assert text.count("cannot be told apart by F1; take") == is_english
    assert ("The recommended candidate is first; the others follow by F1 on the folds." in text) == is_english
    assert "by F1" in reader.get(f"/console/runs/{TIED}/by/MCC").text or not is_english  # the verdict is of that metric


@pytest.mark.parametrize(("role", "language"), [("viewer", "en"), ("operator", "pt-BR"), ("admin", "en")])
def test_every_link_of_every_page_leads_somewhere(site: Site, alarm: str, role: str, language: str) -> None:
    """Follows the links of pages, dialogs and error pages, with and without their queries, as each role sees them.

    What a link points at within a page is there too, for that role: a viewer has no form of a label to go to.
    """
    with site.client(role, **{"Accept-Language": language, "Accept-Encoding": "gzip"}) as client:
        seen: set[str] = set()
        parts: dict[str, set[str]] = {}  # path of a page to the ids on it
        asked: dict[tuple[str, str], str] = {}  # a path and an id on it, to a page that links there
        todo = [f"/console/{path}" for path in (*RAIL, *WRONG)]
        while todo:
            path = todo.pop()
            if path in seen:
                continue
            seen.add(path)
            assert len(seen) < 500, "the pages link to ever more pages"
            answer = client.get(path)
            if answer.status_code == 303:
                continue
            wanted = WRONG.get(path.removeprefix("/console/"), 200)
            assert answer.status_code == wanted, f"{path} answers {answer.status_code}"
            kind = answer.headers["content-type"].partition(";")[0]
            assert answer.headers.get("content-encoding") == "gzip" or kind in BINARY or len(answer.content) < 200, path
            if role == "viewer":
                head = client.head(path)
                assert (head.status_code, head.content, head.headers["content-type"]) == (
                    answer.status_code, b"", answer.headers["content-type"],
                ), path  # fmt: skip
            if kind == "text/html":
                parts[path] = {str(each["id"]) for _, each in Outline(answer.text).tags if each.get("id")}
            if kind == "text/html" and path.startswith("/console/"):
                page = shape(answer)
                assert page.of("html")[0]["lang"] == language
                places = (("a", "href"), ("link", "href"), ("script", "src"), ("img", "src"))
                links = {each[name] for tag, name in places for each in page.of(tag) if each.get(name)}
                links |= {each["action"] for each in page.of("form") if each.get("method", "get") == "get"}
                found = {urljoin(path, link).partition("#")[0] for link in links if link}
                todo += [*found, *(link.partition("?")[0] for link in found)]
                for link in links:
                    target, _, part = urljoin(path, link).partition("#") if link else ("", "", "")
                    if part:
                        asked.setdefault((target, part), path)
        assert len(seen) > 60
        lost = {f"{page} links to {at}#{part}" for (at, part), page in asked.items() if part not in parts.get(at, ())}
        assert not lost
        assert ((f"/console/devices/{alarm}", "label") in asked) == (role != "viewer")


def test_a_run_that_was_canceled_counts_its_candidates_once(site: Site) -> None:
    """The baseline is no candidate, above as below; after the folds, what is missing is the test."""
    with site.client("viewer") as client:
        some, all_ = (client.get(f"/console/runs/{run}").text for run in (CANCELLED, LATE))
    assert "2 of 4 candidates had ended, without the baseline" in some
    assert "2 candidates had ended. The others (2) had not" in some
    assert "4 of 4 candidates had ended, without the baseline" in all_
    assert "All 4 candidates had ended on the folds. The test on held-out readings had not" in all_


def test_the_notes_of_a_run_are_under_its_title(site: Site) -> None:
    with site.client("viewer") as client:
        assert "after &lt;i&gt;the oil&lt;/i&gt;</p>" in client.get(f"/console/runs/{LATE}").text


def test_a_viewer_sees_only_what_a_viewer_may(site: Site) -> None:
    with site.client("viewer") as client:
        page = shape(client.get("/console/overview"))
        rail = {each["href"] for each in page.of("a") if str(each.get("href")).startswith("/console/")}
        assert {f"/console/{name}" for name in RAIL} <= rail
        assert not {f"/console/{name}" for name in ADMINS} & rail
        for path in ADMINS:
            refused = client.get(f"/console/{path}")
            assert refused.status_code == 403
            shape(refused)


def test_a_missing_page_is_answered_by_a_page(site: Site) -> None:
    with site.client("admin") as client:
        for path in ("nowhere", "models/none", "runs/none", "devices/none", "quarantine/1-1", "classify/by/none"):
            answer = client.get(f"/console/{path}")
            assert answer.status_code == 404, path
            shape(answer)
        answer = client.get("/console/models?offset=x")
        assert answer.status_code == 422
        shape(answer)


def test_pages_and_files_are_small_and_files_are_cached_forever(site: Site) -> None:
    """Measures the first load of a page in transferred bytes: the page, each file that it names, and the font."""
    totals = {}
    with site.client("admin") as client:
        for name in (*RAIL, *ADMINS, "models/other", "devices/press-07", f"runs/{CLEAR}"):
            answer = client.get(f"/console/{name}")
            assert answer.headers["content-encoding"] == "gzip"
            page = shape(answer)
            size = len(gzip.compress(answer.content, 6))
            files = {link for link in page.links if link.startswith("/console/static/") and "LICENSES" not in link}
            style = next(link for link in files if re.search(r"/console\.\w+\.css$", link))
            files |= set(re.findall(r'url\("([^"]+)"\)', client.get(style).text))
            for link in files:
                file = client.get(link)
                assert file.status_code == 200
                assert "immutable" in file.headers["cache-control"]
                assert re.search(r"\.[0-9a-f]{12}\.\w+$", link)
                again = client.get(link, headers={"If-None-Match": file.headers["etag"]})
                assert (again.status_code, again.content) == (304, b"")
                size += int(file.headers["content-length"])
            totals[name] = size
    assert totals.pop("overview") <= 94 * KB, totals
    assert totals.pop("devices/press-07") <= 92 * KB, totals  # it draws charts too
    assert max(totals.values()) <= 67 * KB, totals


def test_a_file_is_sent_plain_to_a_client_that_asks_for_that(site: Site) -> None:
    with site.client(None, **{"Accept-Encoding": "identity"}) as client:
        page = Outline(client.get("/console/signin").text)
        link = next(each["href"] for each in page.of("link") if each["rel"] == "stylesheet")
        answer = client.get(str(link))
        assert "content-encoding" not in answer.headers
        assert ".shell" in answer.text


def test_language_and_theme_are_kept(site: Site) -> None:
    with site.client("viewer") as client:
        answer = client.post("/console/language", data={"language": "pt-BR", "next": "/console/models"})
        assert answer.headers["location"] == "/console/models"
        client.post("/console/theme", data={"theme": "dark"})
        page = shape(client.get("/console/models"))
        assert page.of("html")[0] == {"lang": "pt-BR", "data-theme": "dark"}
        client.post("/console/theme", data={"theme": "<x>"})
        assert "data-theme" not in shape(client.get("/console/models")).of("html")[0]


def test_an_answer_is_sent_at_once_on_a_connection_that_is_kept(site: Site) -> None:
    """Head and body are written separately: with Nagle's algorithm the body waits 40 ms for the client's ACK."""
    with _listen("127.0.0.1", 0) as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.proto == socket.IPPROTO_TCP  # asyncio sets TCP_NODELAY on it


def test_the_page_after_a_form_shows_what_the_form_changed(site: Site) -> None:
    with site.client("operator") as client:
        for name in ("other", "small", "other", "small"):
            assert client.post(f"/console/models/{name}/select").status_code == 303
            page = client.get("/console/models").text
            assert f'<a href="/console/models/{name}"><b>{name}</b></a>' in page.partition("<main")[0]


@pytest.mark.parametrize(
    ("column", "key"),
    [("Saved", "saved_at"), ("Name", "name"), ("F1", "score.F1"), ("Served by", "served_by")],
)
def test_a_column_of_models_is_sorted_both_ways_by_its_header(site: Site, column: str, key: str) -> None:
    """The first press of a header sorts by it, the next one turns the order around, as in the JSON twin."""
    with site.client("viewer") as client:
        path, seen = "/console/models?sort=type", {}
        for _ in range(2):
            text = client.get(path).text
            found = re.search(rf'<a id="\S+" href="([^"]+)">{column}', text)
            assert found
            path = found[1].replace("&amp;", "&")
            text = client.get(path).text
            way = re.search(rf'aria-sort="(\w+)"><a id="\S+" href="[^"]+">{column}', text)
            assert way, column
            seen[way[1]] = re.findall(r'<a class="name" href="/console/models/([^"]+)"', text)
        assert set(seen) == {"ascending", "descending"}
        for name, sign in (("ascending", ""), ("descending", "-")):
            twin = client.get("/v1/models", params={"sort": sign + key}).json()["models"]
            assert seen[name] == [model["name"] for model in twin]


def test_models_are_sorted_by_when_they_were_selected_last(site: Site) -> None:
    """The selected one, those before it, the newest of them first, and those that never were; and the other way."""
    with site.client("operator") as client:
        for name in ("other", "small", "other", "small"):
            assert client.post(f"/console/models/{name}/select").status_code == 303
        orders = []
        for query in ("sort=state", "sort=state&order=desc", "sort=state&state=before"):
            text = client.get(f"/console/models?{query}").text
            assert re.search(r'aria-sort="\w+"><a id="\S+" href="[^"]+">State', text)
            orders.append(re.findall(r'<a class="name" href="/console/models/([^"]+)"', text))
    assert orders[0][:2] == ["small", "other"]
    assert "hungry" in orders[0][2:]
    assert orders[1][-2:] == ["other", "small"]
    assert sorted(orders[0]) == sorted(orders[1])
    assert orders[2] == ["other"]


def test_the_list_of_models_leads_to_the_selected_one_and_to_the_comparison_of_the_newest(site: Site) -> None:
    with site.client("operator") as client:
        assert client.post("/console/models/small/select").status_code == 303
        assert client.post(f"/console/runs/{CLEAR}/save", data={"keep": "2", "name2": "newest"}).status_code == 303
        main = client.get("/console/models").text.partition("<main")[2]
        assert f'href="/console/runs/{CLEAR}">Newest comparison' in main
        assert '<a href="/console/models/small">small</a> is selected.' in main


def test_a_model_of_a_run_that_is_not_here_has_no_link_to_it(site: Site) -> None:
    """It was imported, or its run was deleted after 90 days."""
    given, run = upload(), "20250101_000000-ffff"
    given.metadata.update(run=run, rank=1)
    registry = Registry.open(site.settings.registry.url)
    registry.save("foreign", given, by="test")
    with site.client("operator") as client:
        for path in ("models", "models/foreign", "models/foreign/select"):
            text = client.get(f"/console/{path}").text
            assert f"/console/runs/{run}" not in text, path
        assert "1 of its run" in client.get("/console/models/foreign").text
        assert client.post(f"/console/runs/{CLEAR}/save", data={"keep": "3", "name3": "local"}).status_code == 303
        assert f"/console/runs/{CLEAR}" in client.get("/console/models/local").text
        assert f'/console/runs/{CLEAR}">3 of its run' in client.get("/console/models").text
    registry.delete("foreign", by="test")


def test_the_models_to_ask_begin_with_the_selected_one_and_a_model_leads_to_its_form(site: Site) -> None:
    with site.client("operator") as client:
        assert client.post("/console/models/small/select").status_code == 303
        listed = re.findall(r'class="name" href="/console/classify/by/([^"]+)"', client.get("/console/classify").text)
        assert listed[0] == "small"
        assert set(listed) >= {"other", "hungry"}
        assert 'href="/console/classify/by/other">Classify by hand' in client.get("/console/models/other").text


def test_the_bar_of_the_positive_class_is_first_whatever_the_answer(site: Site) -> None:
    with site.client("viewer") as client:
        for vibration in ("0.3", "5.9"):
            values = {"f.lux": "400", "f.temperature": "45", "f.vibration": vibration}
            text = client.post("/console/classify", data={"model": "other", **values}).text
            bars = re.findall(r'<div class="row"><span>(\w+)</span>', text)
            assert bars == ["yes", "no"], vibration


def test_values_that_are_typed_are_said_as_they_were_typed(site: Site) -> None:
    """9,999.5 would be rounded to 10,000, which lies outside as well, but was not asked."""
    values = {"f.lux": "9999,5", "f.temperature": "60,25", "f.vibration": "0,4"}
    with site.client("viewer", **{"Accept-Language": "pt-BR"}) as client:
        text = client.post("/console/classify", data={"model": "other", **values}).text
    assert "Lux 9999,5 lx" in text
    assert "10.000" not in text.partition("<main")[2].partition("</main>")[0]


def test_the_end_of_a_shelving_that_is_tomorrow_says_the_day(site: Site) -> None:
    with site.client("operator") as client:
        text = client.get("/console/devices/press-07/shelve").text
    assert re.search(r">24 h, \d\d? [A-Z]\w\w(?: \d{4})? \d\d:\d\d</label>", text)


def test_the_overview_says_one_last_value_of_the_device_that_needs_someone(site: Site, alarm: str) -> None:
    with site.client("viewer") as client:
        for step in range(6):
            site.plant.publish(
                {**BAD, "lux": 410.0 + step, "temperature": 85.0 + step / 2, "vibration": 5.9 + step}, alarm
            )
        text = client.get("/console/overview").text
        row = re.search(rf'{alarm}</a></th>.*?<td class="num lo[^"]*">([^<]+)</td></tr>', text, re.DOTALL)
        panel = re.findall(r'<dd(?: class="hot")?>([\d.,]+)<span class="unit">', text)
        assert row
        assert row[1] in panel, panel


def test_what_happened_leads_to_the_device(site: Site, alarm: str) -> None:
    link = f'<span class="state alarm"><a href="/console/devices/{alarm}">{alarm}</a></span> is in alarm'
    with site.client("viewer") as client:
        wait_for(lambda: link in client.get("/console/overview").text, "the event")


def test_a_run_lists_its_settings_and_the_parameters_of_its_candidates(site: Site) -> None:
    with site.client("viewer", **{"Accept-Language": "pt-BR"}) as client:
        text = client.get(f"/console/runs/{CLEAR}").text
    shown = dict(re.findall(r"<dt>([^<]+)</dt><dd>([^<]+)</dd>", text.partition('id="set"')[2]))
    assert shown["Candidatos"] == "Logistic Regression, Decision Tree"
    assert shown["Custo de uma leitura perdida"] == "5"
    assert shown["Ajustar os três melhores por"] == "1 min 30 s"
    assert "100 árvores, taxa de aprendizado 0,08, C = 1</p>" in text
