"""Labels on the console: added for a period, undone, given again, imported from a table; by forms and by dragging."""

from __future__ import annotations

import html
import os
import re
import time
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import httpx
import pytest
from playwright.sync_api import Browser, expect

from tests.attacks.api import wait_for
from tests.console.conftest import Site, window
from tests.console.outline import Fields, Outline, shape
from tests.console.plant import GOOD

ALL = os.environ.get("TEST_CONSOLE") == "1"  # make test-console
ZONE = ZoneInfo("America/Sao_Paulo")
ORDERS = """asset,start,end,state,order_no
press-07,2026-11-20 08:00,2026-11-20 09:00,yes,4471
press-77,2026-11-20 10:00,2026-11-20 11:00,yes,4472
mill-03,2026-11-20 12:00,2026-11-20 11:00,yes,4473
mill-03,,,yes,4474
"""


def local(moment: float) -> str:
    """A time as in the form: the plant's, without a zone."""
    return datetime.fromtimestamp(moment, timezone.utc).astimezone(ZONE).strftime("%Y-%m-%dT%H:%M:%S")


def label_of(answer: httpx.Response) -> str:
    """The id of the label in the answer to a form."""
    found = re.search(r"done=([\w.]+)", answer.headers["location"])
    assert found is not None
    return found[1]


def test_no_label_is_chosen_beforehand(site: Site) -> None:
    """The operator says what it was; a form without a label is shown again, and nothing is labeled."""
    with site.client("operator") as client:
        before = client.get("/v1/labels").json()["total"]
        for path, back in (("labels", ""), ("devices/press-07", "device")):
            radios = [e for e in shape(client.get(f"/console/{path}")).of("input") if e.get("name") == "label"]
            assert radios and not [each for each in radios if "checked" in each], path
            wanted = {"device": "press-07", "from": "2026-11-20T10:00", "to": "2026-11-20T11:00", "back": back}
            answer = client.post("/console/labels", data=wanted, headers={"Referer": f"{site.url}/console/{path}"})
            assert answer.status_code == 422
            assert "The label is missing." in answer.text
            page = shape(answer)
            (group,) = [each for _, each in page.tags if each.get("aria-invalid")]
            assert group["role"] == "radiogroup"
            assert "autofocus" in next(e for e in page.of("input") if e.get("name") == "label")
        assert client.get("/v1/labels").json()["total"] == before


def test_a_period_is_labeled_undone_and_given_again_by_forms(site: Site) -> None:
    """A period of the plant's time; the readings in it get the label, lose it, and get it again."""
    now = time.time()
    for step in range(4):
        site.plant.publish(GOOD, "mill-03", ts=int(1000 * (now - 400 + step)))
    wanted = {"device": "mill-03", "from": local(now - 400), "to": local(now - 300), "note": "<b>4471</b>"}
    with site.client("operator") as client:
        wait_for(lambda: client.get("/v1/devices/mill-03").json().get("readings", 0) >= 5, "the readings")
        added = client.post("/console/labels", data={**wanted, "label": "yes", "back": "device"})
        assert added.headers["location"].startswith("/console/devices/mill-03?done=")
        page = client.get(added.headers["location"])
        shape(page)
        assert "Label added" in page.text
        assert "&lt;b&gt;4471" in page.text
        first = label_of(added)
        shown = client.get(f"/v1/labels/{first}").json()
        assert (shown["readings"], shown["source"], shown["label"]) == (4, "console", "yes")
        assert client.post("/console/labels", data={**wanted, "label": "yes"}).status_code == 409
        undone = client.post("/console/labels/undo", data={"id": first})
        page = client.get(undone.headers["location"])
        shape(page)
        assert "Label undone" in page.text
        if not client.get("/v1/labels").json()["total"]:  # no other test has labeled something
            listed = client.get("/console/labels").text
            assert "No label counts now; " in listed
            assert "No period was labeled yet" not in listed
        assert client.get(f"/v1/labels/{first}").json()["undone"]
        assert client.post("/console/labels/undo", data={"id": first}).status_code == 409
        again = client.post("/console/labels/redo", data={"id": first})
        second = label_of(again)
        assert (second, client.get(f"/v1/labels/{second}").json()["readings"]) == (f"{first}.2", 4)
        assert client.post("/console/labels/redo", data={"id": second}).status_code == 409
        assert client.post("/console/labels/redo", data={"id": first}).status_code == 409  # it is there again
        assert [client.get(f"/v1/labels/{each}").json()["again"] for each in (first, second)] == [second, None]
        listed = client.get("/console/labels?undone=yes&q=4471&source=console").text
        assert (listed.count("/console/labels/redo"), listed.count("added again")) == (0, 1)
        assert "/console/labels/redo" not in client.get(f"/console/labels?done={first}").text.partition("<table")[0]
        client.post("/console/labels/undo", data={"id": second})
        assert label_of(client.post("/console/labels/redo", data={"id": second})) == f"{first}.3"
        later = client.post("/console/labels", data={**wanted, "label": "yes", "other": "worn", "open": "yes"})
        page = client.get(later.headers["location"]).text
        assert "Overlap" in page
        assert "and growing" in page
        assert client.get("/console/labels?q=mill&label=worn&source=console").text.count("/console/labels/undo") == 1
        empty = {**wanted, "from": "2025-01-01T00:00:00", "to": "2025-01-01T01:00:00"}
        page = client.get(client.post("/console/labels", data={**empty, "label": "yes"}).headers["location"]).text
        assert "No reading lies in this period" in page
        assert "The next run learns from it" not in page
        assert "No label matches." in client.get("/console/labels?q=nowhere").text


def test_that_a_label_has_no_end_is_chosen_and_not_the_default(site: Site) -> None:
    """The field of the end is filled, and what a person ticked stays ticked when the form is refused."""
    good = {"device": "press-07", "from": "2026-11-21T10:00", "to": "2026-11-21T11:00", "open": "yes", "label": "no"}
    with site.client("operator") as client:
        for path in ("/console/labels", "/console/devices/press-07"):
            fields = {each.get("name"): each for each in Outline(client.get(path).text).of("input")}
            assert datetime.fromisoformat(str(fields["to"]["value"]))
            assert "checked" not in fields["open"]
        refused = client.post("/console/labels", data={**good, "from": "soon"})
        assert 'name="open" value="yes" data-ends="lt" checked' in refused.text
        label = label_of(client.post("/console/labels", data=good))
        assert client.get(f"/v1/labels/{label}").json()["to"] is None
        client.post("/console/labels/undo", data={"id": label})
        shown = client.get("/console/devices/press-07", params={**good, "back": "device"})
        assert 'data-ends="label-to" checked' in shown.text


def test_the_readings_of_a_period_are_counted_before_it_is_labeled(site: Site) -> None:
    """Only what is certain: not for a period without an end, one that still gets readings, or a very long one."""
    now = time.time()
    for step in range(3):
        site.plant.publish(GOOD, "counted-1", ts=int(1000 * (now - 4_000 + step)))
    asked = {"device": "counted-1", "from": local(now - 4_100), "to": local(now - 3_900)}
    with site.client("operator") as client:
        wait_for(lambda: client.get("/console/labels/readings", params=asked).text == "Label 3 readings", "the count")
        for wrong in (
            {"to": ""},
            {"to": local(now)},
            {"from": "x"},
            {"from": local(now - 9 * 86_400)},
            {"to": local(now - 5_000)},
        ):
            assert client.get("/console/labels/readings", params=asked | wrong).text == "", wrong
        none = client.get("/console/labels/readings", params=asked | {"device": "none"}).text
        assert none == "Label 0 readings"
        client.post("/console/labels", data={**asked, "label": "yes"})
        client.post("/console/labels", data={**asked, "to": local(now - 4_050), "label": "no"})
        said = client.get("/console/labels/readings", params=asked).text
        assert said.partition("\n")[0] == "Label 3 readings"
        assert "counted-1 has the label “no”, “yes” already. There the new label counts" in said
        later = client.get("/console/labels/readings", params={**asked, "from": local(now - 4_040)}).text
        assert "has the label “yes” already" in later


@pytest.mark.skipif(not ALL, reason="slow; set TEST_CONSOLE=1")
def test_the_button_says_how_many_readings_a_period_has(chromium: Browser, site: Site) -> None:
    now = time.time()
    for step in range(3):
        site.plant.publish(GOOD, "counted-2", ts=int(1000 * (now - 4_000 + step)))
    asked = {"device": "counted-2", "from": local(now - 4_100), "to": local(now - 3_900)}
    with site.client("operator") as client:
        wait_for(lambda: client.get("/console/labels/readings", params=asked).text == "Label 3 readings", "the count")
    with window(chromium, site, "operator", locale="pt-BR") as found:
        page = found.open("/console/labels")
        page.fill("#ld", "counted-2")
        page.fill("#lf", asked["from"])
        button = page.get_by_role("button", name="Adicionar o rótulo")
        expect(button).to_be_visible()
        page.fill("#lt", asked["to"])
        expect(page.get_by_role("button", name="Rotular 3 leituras")).to_be_visible()
        page.check("#lt-open")
        expect(button).to_be_visible()
        expect(page.locator("#lt")).to_be_disabled()
        page.uncheck("#lt-open")
        page.get_by_role("button", name="Rotular 3 leituras").press("Enter")
        expect(page.get_by_role("radio", name="sim")).to_be_focused()  # none is chosen yet, and the browser says so
        page.keyboard.press("Space")
        page.get_by_role("button", name="Rotular 3 leituras").press("Enter")
        expect(page.locator("#done")).to_be_focused()
        page.fill("#ld", "counted-2")
        page.fill("#lf", asked["from"])
        page.fill("#lt", asked["to"])
        expect(page.locator("[data-overlap]")).to_contain_text("counted-2 já tem o rótulo “sim”")
        page.fill("#ld", "counted-3")
        expect(page.locator("[data-overlap]")).to_be_hidden()
        assert found.said == []


def test_an_invalid_label_is_refused_with_its_reason(site: Site) -> None:
    with site.client("operator") as client:
        good = {"device": "press-07", "from": "2026-11-20T10:00", "to": "2026-11-20T11:00", "label": "yes"}
        for wrong, said in (
            ({"from": ""}, "from"), ({"to": ""}, "the period ends"),
            ({"from": "soon"}, "is not a time"), ({"to": "2026-11-20T09:00"}, "not after"),
            ({"label": ""}, "label"), ({"device": "a/+"}, "device"), ({"from": "1999-01-01T00:00"}, "2000"),
            ({"note": "x" * 501}, "500"),
        ):  # fmt: skip
            answer = client.post("/console/labels", data={**good, **wrong})
            assert answer.status_code == 422, wrong
            assert said in answer.text, wrong
            shape(answer)
            for page, sent in (("device", {"back": "device"}), ("list", {})):  # the form again, as it was filled
                sent = {**good, "note": "W<4", "other": "worn out", "to": "2026-11-20T11:00", **wrong, **sent}
                again = client.post("/console/labels", data=sent, headers={"Accept-Language": "pt-BR"})
                if again.status_code == 303:
                    continue  # the other label counts
                shape(again)
                assert (page, len(re.findall('aria-invalid="true"|id="refused"', again.text))) == (page, 1), wrong
                assert all(f'value="{html.escape(sent[name])}"' in again.text for name in ("from", "other", "note"))
        assert client.post("/console/labels/undo", data={"id": "none"}).status_code == 404
    with site.client("viewer") as client:
        assert client.post("/console/labels", data=good).status_code == 403
        for path in ("/console/labels", "/console/devices/press-07"):
            assert "/console/labels" not in {form.get("action") for form in shape(client.get(path)).of("form")} - {
                "/console/labels" if path == "/console/labels" else ""  # its search
            }
        assert client.get("/console/labels/import").status_code == 403


def page_begins(text: str) -> str:
    """The first notice of a page."""
    return re.findall(r'<section class="notice[^>]*>', text)[0]


def test_words_of_the_console_in_portuguese_are_read_as_the_plants_classes(site: Site) -> None:
    """The preview, the page after the import and the form say how a word was read, and which labels are new."""
    table = "Máquina;Início;Término;Falha\nmill-03;2026-11-18 08:00;2026-11-18 09:00;Sim\n"
    table += "mill-03;2026-11-18 10:00;2026-11-18 11:00;ruim\n"
    period = {"device": "mill-03", "from": "2026-11-17T10:00", "to": "2026-11-17T11:00"}
    with site.client("operator") as client:
        client.cookies.set("zelador_language", "pt-BR")
        path = client.post("/console/labels/import", files={"file": ("ordens.csv", table.encode())}).headers["location"]
        taken = client.post(path).headers["location"] if (preview := client.get(path)).status_code == 200 else ""
        after = client.get(taken)
        assert page_begins(after.text) == '<section class="notice" role="status" aria-labelledby="imp-done">'
        assert "2 rótulos adicionados</h2>" in after.text
        for page in (preview, after):
            shape(page)
            assert "“Sim” foi lido como “yes”." in page.text
            assert "Rótulo novo: “ruim”. A planta tem" in page.text
        added = client.post("/console/labels", data={**period, "other": "NÃO"})
        assert client.get(f"/v1/labels/{label_of(added)}").json()["label"] == "no"
        one = client.get(added.headers["location"]).text
        assert one.count("“NÃO” foi lido como “no”.") == 1
        assert page_begins(one) == '<section class="notice " role="status" aria-labelledby="done">'
        client.post("/console/labels/undo", data={"id": label_of(added)})
        client.post("/console/labels/undo-import", data=dict(re.findall(r'name="(at|by)" value="([^"]*)"', after.text)))


def test_a_table_without_a_label_and_a_row_without_an_end_are_named(site: Site) -> None:
    table = "asset,start,end,kind\nmill-03,2026-11-18 08:00,,yes\n"
    with site.client("operator") as client:
        path = client.post("/console/labels/import", files={"file": ("open.csv", table.encode())}).headers["location"]
        page = client.get(path)
        shape(page)
        label = page.text.partition('<select id="c-label"')[2].partition("</select>")[0]
        assert 'aria-invalid="true"' in label and "Choose a column" in label
        guessed = Fields(page.text, path).sent
        assert [guessed[role] for role in ("device", "from", "to")] == [["asset"], ["start"], ["end"]]
        assert page.text.count('aria-invalid="true"') == 1  # what is missing, and nothing else
        found = client.get(f"{path}?label=kind")
        assert (
            "The period of mill-03 has no end." in found.text
            and "until now" in found.text
            and "needs a look" in found.text
        )
        note = found.text.partition('<select id="c-note"')[2].partition("</select>")[0]
        assert "no column" in note and "as guessed" not in note


def test_work_orders_are_previewed_mapped_imported_and_undone_as_a_whole(site: Site) -> None:
    with site.client("operator") as client:
        files = {"file": ("orders <1>.csv", ORDERS.encode())}
        path = client.post("/console/labels/import", files=files).headers["location"]
        page = client.get(path)
        assert "1 row is fine, 1 needs a look, 2 cannot be used." in page.text
        assert "orders &lt;1&gt;.csv" in page.text
        assert "press-77" in page.text
        assert "press-07?" in page.text  # did you mean
        shape(page)
        assert re.search("20 Nov( 2026)? 08:00–\u206009:00", page.text)  # with its year from the next one on
        in_utc = client.get(f"{path}?zone=UTC&note=order_no")
        assert re.search("20 Nov( 2026)? 05:00–\u206006:00", in_utc.text)
        assert "4471" in in_utc.text
        wrong = client.get(f"{path}?from=state")
        assert wrong.status_code == 422
        assert "Choose the columns, then look again." in wrong.text
        assert "Choose another file" in wrong.text
        shape(wrong)
        for rows in ("look", "out"):
            shape(client.get(f"{path}?rows={rows}"))
        with site.client("admin") as other:
            assert other.get(path).status_code == 404  # another user's file
        hidden = {
            each["name"]: each.get("value") for each in Outline(in_utc.text).of("input") if each.get("type") == "hidden"
        }
        taken = client.post(path, data={name: hidden[name] for name in ("zone", "note")})
        page = client.get(taken.headers["location"])
        shape(page)
        assert "2 labels added</h2>" in page.text and "2 rows were left out." in page.text
        assert "2 labels of one import" in client.get(taken.headers["location"]).text  # later
        assert client.get(path).status_code == 404
        listed = client.get("/v1/labels?source=import").json()["labels"]
        assert [(each["device"], each["note"]) for each in listed] == [("press-77", "4472"), ("press-07", "4471")]
        fields = {
            each["name"]: each["value"] for each in Outline(page.text).of("input") if each.get("name") in ("at", "by")
        }
        assert "It can be undone as a whole" in page.text
        undone = client.post("/console/labels/undo-import", data=fields)
        assert "All of it is undone." in client.get(undone.headers["location"]).text
        shape(client.get(undone.headers["location"]))
        assert client.get("/v1/labels?source=import").json()["total"] == 0
        assert client.post("/console/labels/undo-import", data=fields).status_code == 404
        assert client.post("/console/labels/import", files={"file": ("empty.csv", b"")}).status_code == 422


def test_dragging_over_a_chart_fills_the_form(chromium: Browser, site: Site) -> None:
    """A label can also be undone there, by keyboard, and the page shows the same period afterwards."""
    begin = time.time() - 600
    for step in range(30):
        site.plant.publish(GOOD, "pump-12", ts=int(1000 * (begin + 10 * step)))
    with site.client("viewer") as client:
        wait_for(lambda: client.get("/v1/devices/pump-12").json().get("readings", 0) >= 31, "the readings")
    with window(chromium, site, "operator") as found:
        page = found.open("/console/devices/pump-12?range=24h")
        page.check("#label-to-open")
        page.locator("[data-device-chart]").first.scroll_into_view_if_needed()
        box = page.locator("[data-device-chart] .u-over").first.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] * 0.25, box["y"] + 20)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.5, box["y"] + 30, steps=4)
        page.mouse.up()
        first, last = (page.locator(f"#label-{name}").input_value() for name in ("from", "to"))
        assert datetime.fromisoformat(first) < datetime.fromisoformat(last)
        assert datetime.fromisoformat(last) - datetime.fromisoformat(first) < timedelta(seconds=600)
        expect(page.locator(".u-cursor-y")).to_have_count(0)  # it would stay on the other charts
        page.locator("[data-device-chart]").first.evaluate("box => { box.firstChild.id = 'before'; }")
        page.set_viewport_size({"width": 1100, "height": 800})
        expect(page.locator("#before")).to_have_count(0)  # the charts are drawn again, with the chosen period
        for chart in page.locator(".u-over:visible").all():
            width = chart.evaluate("over => over.clientWidth")
            chosen = chart.locator(".u-select")  # about a quarter: the period until now grows meanwhile
            wait_for(lambda: abs(chosen.evaluate("it => it.clientWidth") - width / 4) < width / 20, "the period")  # noqa: B023
        page.get_by_role("radio", name="no").focus()
        page.keyboard.press("Space")
        page.locator("button[data-readings]").focus()
        page.keyboard.press("Enter")
        expect(page.locator("#done")).to_have_text("Label added")
        expect(page.get_by_role("link", name="24 h")).to_have_attribute("aria-current", "true")
        expect(page.locator(".key", has_text="labeled “no”")).to_be_visible()
        page.get_by_role("button", name=re.compile("^Undo the label")).focus()
        page.keyboard.press("Enter")
        expect(page.locator("#done")).to_have_text("Label undone")
        expect(page.get_by_role("link", name="24 h")).to_have_attribute("aria-current", "true")
        expect(page.locator(".key", has_text="labeled “no”")).to_have_count(0)
        page.fill("#label-from", first)
        page.fill("#label-to", last)
        page.get_by_label("Work order or note").fill("bearing <7>")
        page.get_by_role("radio", name="yes").check()
        page.get_by_role("button", name="Show this period").click()
        page.wait_for_url("**/console/devices/*?from=*")
        assert "bearing" not in page.url
        expect(page.get_by_label("Work order or note")).to_have_value("bearing <7>")
        expect(page.get_by_role("radio", name="yes")).to_be_checked()
        assert [page.locator(f"#label-{name}").input_value() for name in ("from", "to")] == [first, last]
        expect(page.locator("nav.seg [aria-current]")).to_have_count(0)
        assert found.said == []


@pytest.mark.skipif(not ALL, reason="slow; set TEST_CONSOLE=1")
def test_a_finger_that_moves_along_a_chart_fills_the_form(chromium: Browser, site: Site) -> None:
    begin = time.time() - 600
    for step in range(30):
        site.plant.publish(GOOD, "pump-13", ts=int(1000 * (begin + 10 * step)))
    with site.client("viewer") as client:
        wait_for(lambda: client.get("/v1/devices/pump-13").json().get("readings", 0) >= 30, "the readings")
    phone = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
    with window(chromium, site, "operator", **phone) as found:
        page = found.open("/console/devices/pump-13?range=24h")
        chart = page.locator("[data-device-chart] .u-over").first
        chart.scroll_into_view_if_needed()
        expect(page.locator("[data-drag]")).to_be_visible()
        page.evaluate("document.fonts.ready")  # then the charts are drawn again
        box = chart.bounding_box()
        assert box is not None
        typed = page.locator("#label-from").input_value()
        finger = page.context.new_cdp_session(page)

        def draw(*points: tuple[float, float]) -> None:
            for kind, point in zip(("touchStart", *["touchMove"] * (len(points) - 1)), points, strict=True):
                at = {"x": box["x"] + box["width"] * point[0], "y": box["y"] + point[1]}
                finger.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": [at]})
            finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})

        draw((0.25, 30), (0.3, 30), (0.4, 31), (0.5, 30))
        expect(page.locator("#label-from")).not_to_have_value(typed)
        first, last = (page.locator(f"#label-{name}").input_value() for name in ("from", "to"))
        assert timedelta() < datetime.fromisoformat(last) - datetime.fromisoformat(first) < timedelta(seconds=600)
        draw((0.7, 60), (0.7, 30), (0.7, 10))  # it scrolls
        assert page.locator("#label-from").input_value() == first
        assert found.said == []
    with window(chromium, site, "operator", java_script_enabled=False) as found:
        page = found.open("/console/devices/pump-13")
        expect(page.locator("[data-drag]")).to_be_hidden()
