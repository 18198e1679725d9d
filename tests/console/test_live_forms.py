"""The forms of the live pages and of the administration without JavaScript: what each does, and what it refuses."""

from __future__ import annotations

import csv
import html
import re
import time

import httpx
import pytest

from tests.attacks.api import wait_for
from tests.console.conftest import Site
from tests.console.outline import shape
from tests.console.plant import BAD


@pytest.mark.parametrize(
    ("accepted", "typed", "status", "said"),
    [
        ("en", {"lux": "400", "temperature": "85.5", "vibration": "5.9"}, 200, "Needs maintenance"),
        ("pt-BR", {"lux": "400", "temperature": "85,5", "vibration": "5,9"}, 200, "Precisa de manutenção"),
        ("en", {"lux": "400", "temperature": "45", "vibration": "0.4"}, 200, "Needs no maintenance"),
        ("en", {"lux": "400", "temperature": "hot", "vibration": "0.4"}, 422, "This is not a number."),
        ("en", {"lux": "1,234", "temperature": "45", "vibration": "0.4"}, 422, "write 1234 or 1.234."),
        ("en", {"lux": "1,234,5", "temperature": "45", "vibration": "1"}, 422, "Write thousands without a separator."),
        ("pt-BR", {"lux": "1.234", "temperature": "45", "vibration": "0,4"}, 422, "escreva 1234 ou 1,234."),
        ("pt-BR", {"lux": "0.412", "temperature": "45.5", "vibration": "0,4"}, 200, "Não precisa de manutenção"),
        ("en", {"lux": "4", "temperature": "-400", "vibration": "0.4"}, 422, "Too low: at least −100 °C."),
        ("pt-BR", {"lux": "4", "temperature": "1000,1", "vibration": "1"}, 422, "Alto demais: no máximo 1.000 °C."),
        ("en", {"lux": "4", "temperature": "45", "vibration": "1e39"}, 422, "Too high: at most 1,000"),
        ("en", {"lux": "nan", "temperature": "1e999", "vibration": ""}, 422, "This is not a number."),
    ],
)
def test_classifying_by_hand(site: Site, accepted: str, typed: dict[str, str], status: int, said: str) -> None:
    with site.client("viewer", **{"Accept-Language": accepted}) as client:
        answer = client.post("/console/classify", data={f"f.{name}": text for name, text in typed.items()})
        assert answer.status_code == status, answer.text[-500:]
        assert said in answer.text
        assert answer.text.count('aria-invalid="true"') == (status == 422) + ("nan" in typed.values()) * 2
        assert all(f'value="{text}"' in answer.text for text in typed.values())
        assert "readings[0]" not in answer.text
        shape(answer)


def test_what_is_no_number_has_no_place_on_the_scale(site: Site) -> None:
    typed = {"f.lux": "400", "f.temperature": "abc", "f.vibration": "0.4", "model": "other"}
    with site.client("viewer") as client:
        answer = client.post("/console/classify", data=typed).text
    assert re.findall(r'data-marker="" (transform|visibility="hidden")', answer) == [
        "transform", 'visibility="hidden"', "transform",
    ]  # fmt: skip


def test_the_previous_question_is_shown_beside_the_answer(site: Site) -> None:
    """It travels in the form; what another model was asked, and what is not whole, is left out."""
    values = {"f.lux": "4", "f.temperature": "9", "f.vibration": "99"}
    other = '{"model": "none", "values": ["77"], "label": "yes", "share": 1}'
    with site.client("viewer") as client:
        first = client.post("/console/classify", data=values).text
        assert "Asked before" not in first
        asked = html.unescape(re.search(r'name="asked" value="([^"]+)"', first)[1])  # type: ignore[index]
        answer = client.post("/console/classify", data={**values, "f.lux": "5", "asked": [asked, "{", other]})
        assert answer.status_code == 200
        assert answer.text.count('name="asked"') == 2
        assert '<td class="num">4</td>' in answer.text
        assert ">77<" not in answer.text


def test_the_audit_log_is_exported_without_formulas(site: Site) -> None:
    with site.client("admin") as client:
        wanted = {"device": "press-07", "from": "2026-11-20T10:00", "label": "yes", "note": "W4", "open": "yes"}
        assert client.post("/console/labels", data=wanted).status_code == 303
        audit = client.get("/console/audit").text
        device = '<a href="/console/devices/press-07">press-07</a>'
        assert re.search(f">the admin</th><td>added label “yes”, {device}, since 20 Nov( 2026)? 10:00<", audit)
        assert ">W4<" in audit
        client.post("/console/keys", data={"role": "viewer", "note": "=HYPERLINK(1)", "lasts": "90d"})
        answer = client.get("/console/audit/csv?q=key made")
        assert answer.headers["content-type"] == "text/csv; charset=utf-8"
        rows = list(csv.DictReader(answer.text.splitlines()))
        assert rows
        assert {row["what"] for row in rows} == {"key made"}
        assert not [each for row in rows for each in row.values() if each.startswith("=")]
    with site.client("operator") as client:
        assert client.get("/console/audit/csv").status_code == 403


def test_keys_are_made_shown_once_and_revoked(site: Site) -> None:
    with site.client("admin") as client:
        made = client.post("/console/keys", data={"role": "viewer", "note": "tablet <hall A>", "lasts": "90d"})
        shape(made)
        found = re.search(r"zlk_[\w-]{40,}", made.text)
        assert found is not None
        assert "content-encoding" not in made.headers  # a secret is not compressed together with foreign text
        page = client.get("/console/keys")
        assert found[0] not in page.text
        assert "tablet &lt;hall A&gt;" in page.text
        identity = next(k["id"] for k in client.get("/v1/keys").json()["keys"] if k["note"] == "tablet <hall A>")
        shape(client.get(f"/console/keys/{identity}/revoke"))
        assert client.post(f"/console/keys/{identity}/revoke").status_code == 303
        assert httpx.get(f"{site.url}/v1/models", headers={"Authorization": f"Bearer {found[0]}"}).status_code == 401


def test_a_message_in_quarantine_is_shown_replayed_and_discarded(site: Site) -> None:
    site.plant.raw(b'{"lux": 1, "temperature": <b>')
    with site.client("operator") as client:
        wait_for(lambda: client.get("/v1/quarantine").json()["entries"], "the quarantine")
        entry = client.get("/v1/quarantine").json()["entries"][0]["id"]
        listed = client.get("/console/quarantine-by/json")
        shape(listed)
        assert f'href="/console/quarantine/{entry}#one"' in listed.text
        assert "No message has this reason." in client.get("/console/quarantine-by/range").text
        assert client.get("/console/quarantine-by/none").status_code == 404
        page = client.get(f"/console/quarantine/{entry}")
        shape(page)
        assert "temperature&#34;: <mark>&lt;</mark>b&gt;</pre>" in page.text
        dump = client.get(f"/console/quarantine/{entry}?as=bytes")
        shape(dump)
        assert "7b 22 6c 75 78" in dump.text
        assert "<mark>3c</mark> 62 3e" in dump.text
        assert "<b>|" not in dump.text
        assert "0 would pass now" in page.text
        assert "The current settings would refuse it again." in page.text
        client.post("/console/quarantine-replay", data={"only": "passing"})
        said = client.get(f"/console/quarantine/{entry}", headers={"Accept-Language": "pt-BR"})
        assert "Não é JSON, a partir do byte 26" in said.text
        stays = client.post(f"/console/quarantine/{entry}/replay")
        assert stays.headers["location"].endswith("outcome=still_refused")
        assert "It stays in quarantine" in client.get(stays.headers["location"]).text
        assert client.post(f"/console/quarantine/{entry}/discard", data={"typed": "no"}).status_code == 422
        assert client.post(f"/console/quarantine/{entry}/discard", data={"typed": "discard"}).status_code == 303
        empty = client.get("/console/quarantine").text
        assert re.search(r"Nothing is waiting here\. The last message was discarded \d+ s ago\.", empty)


def test_an_alarm_is_acknowledged_shelved_and_retired_by_forms(site: Site) -> None:
    """A person acknowledges the alarm of a device, shelves it with a reason, retires it and restores it."""
    with site.client("operator") as client:
        device = "/v1/devices/mill-03"
        now = time.time_ns() // 1_000_000
        for step in range(8):
            site.plant.publish(BAD, "mill-03", ts=now + step)
        wait_for(lambda: client.get(device).json().get("state") == "alarm", "the alarm")
        assert "mill-03" in client.get("/console/states/alarm").text
        assert client.post("/console/devices/mill-03/acknowledge").status_code == 303
        assert client.get(device).json()["state"] == "acknowledged"
        overview = client.get("/console/overview").text
        assert (
            "No alarm needs attention; 1 is acknowledged and still on." in overview or "Needs maintenance" in overview
        )
        assert re.search(r'href="/console/states/acknowledged">\d+ acknowledged alarm', overview)
        lede = re.sub(
            r"<[^>]+>", "", client.get("/console/devices").text.partition('id="list-head">')[2].partition("</p>")[0]
        )
        whole, *parts = map(int, re.findall(r"\d+", lede))
        assert ", 1 acknowledged" in lede
        assert whole == sum(parts), lede  # every device is in one of the states named
        refused = client.post("/console/devices/mill-03/unshelve")
        assert refused.status_code == 409
        shape(refused)
        assert client.post("/console/devices/mill-03/shelve", data={"hours": "8", "why": "on order"}).status_code == 303
        assert "on order" in client.get("/console/devices/mill-03").text
        assert client.post("/console/devices/mill-03/unshelve").status_code == 303
        wrong = client.post("/console/devices/mill-03/shelve", data={"hours": "1", "until": "tomorrow", "why": "x"})
        assert wrong.status_code == 422
        assert client.post("/console/devices/mill-03/retire").status_code == 303
        retired = client.get("/console/states/retired").text
        assert "mill-03" in retired
        assert ">All 2<" in retired and ">Retired 1<" in retired  # the list of all is without it
        assert "2 devices:" in retired
        assert re.search(r"<dt>Retired</dt><dd>by [^,]+, ", client.get("/console/devices/mill-03").text)
        assert client.post("/console/devices/mill-03/restore").status_code == 303
