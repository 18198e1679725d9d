"""What the pages of lists say: filters of the audit log, minutes in alarm, what was counted today."""

from __future__ import annotations

import html
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from admin.console.console import make_console
from admin.console.overview.live import overview
from admin.services import make_services
from operations.key_file import new_key
from operations.views.plant import PlantView
from tests.attacks.api import wait_for
from tests.console.conftest import Site
from tests.console.outline import shape
from tests.console.plant import BAD, GOOD
from zelador.alarms.state import STATES


def test_the_audit_log_is_filtered_by_who_what_and_days(site: Site) -> None:
    with site.client() as client:
        client.post("/console/keys", data={"role": "viewer", "note": "a tablet", "lasts": "90d"})
        client.post("/console/devices/press-07/shelve", data={"until": "2027-01-01T00:00", "why": "bearing"})
        page, shelved = client.get("/console/audit").text, 'shelved <a href="/console/devices/press-07">press-07</a>'
        assert shelved in page
        who = re.search(r'<option value="(key [0-9a-f]+)">the admin</option>', page)
        assert who is not None
        for query, is_shown in (
            ({"what": "devices"}, True),
            ({"what": "keys"}, False),
            ({"who": who[1]}, True),
            ({"who": "key 00000000"}, False),
            ({"from": "2026-01-01"}, True),
            ({"until": "2026-01-01"}, False),
            ({"from": "", "until": "", "who": "", "what": "", "q": ""}, True),
        ):
            answer = client.get("/console/audit", params=query)
            assert answer.status_code == 200
            assert (shelved in answer.text) is is_shown, query
            table = client.get("/console/audit/csv", params=query).text
            assert ("device shelved" in table) is is_shown, query
        for text, shown in (
            ("BEARING", "shelved press-07"),
            ("tablet", "made key “a tablet”"),
        ):  # why, and a key's name
            page = client.get("/console/audit", params={"q": text}).text
            assert shown in re.sub(r"<[^>]+>", "", page)
        assert "Clear the filter" in client.get("/console/audit?who=key%20none").text
        for days, at, said in (
            ({"from": "2026-02-31"}, "from", "“2026-02-31” não é um dia do calendário."),
            ({"until": "yesterday<b>"}, "until", "não é um dia do calendário."),
            ({"from": "2026-11-02", "until": "2026-11-01"}, "until", "é anterior ao primeiro"),
        ):
            asked = {"q": "press-07", "who": who[1], "what": "devices", **days}
            answer = client.get("/console/audit", params=asked, headers={"Accept-Language": "pt-BR"})
            assert answer.status_code == 422
            fields = {each.get("name"): each for each in shape(answer).of("input")}
            assert all(fields[name]["value"] == text for name, text in asked.items() if name in fields)
            assert [name for name, each in fields.items() if "aria-invalid" in each] == [at]
            assert f'<option value="{html.escape(who[1])}" selected>' in answer.text
            assert fields[at]["type"] == ("date" if days.keys() > {"from"} else "text")  # such a field shows no other
            assert said in answer.text
            assert "Nenhuma entrada corresponde" not in answer.text
            assert client.get("/console/audit/csv", params=asked).status_code == 422
        found = client.get("/v1/audit", params={"what": "devices", "who": who[1], "q": "PRESS-07"}).json()["changes"]
        assert {each["what"] for each in found} == {"device shelved"}
        assert client.get("/v1/audit?from=2026-01-01T00:00:00Z&until=2026-01-02T00:00:00Z").json()["changes"] == []


def test_the_audit_log_finds_what_stands_on_the_page(site: Site) -> None:
    """Every text of a row: the device and the note of a label, the reason of a shelving, the words of the act."""
    with site.client() as client:
        label = {"device": "mill-03", "from": "2026-11-20T10:00", "open": "yes", "label": "yes", "note": "WO 88"}
        assert client.post("/console/labels", data=label).status_code == 303
        for text, language, said in (
            ("mill-03", "en", "label added"),
            ("wo 88", "en", "label added"),
            ("added label “yes”, mill-03", "en", "label added"),
            ("adicionou o rótulo", "pt-BR", "label added"),
        ):
            query, words = {"what": "labels", "q": text}, {"Accept-Language": language}
            assert "WO 88" in client.get("/console/audit", params=query, headers=words).text, text
            assert said in client.get("/console/audit/csv", params=query, headers=words).text, text
        assert len(client.get("/v1/audit", params={"q": "wo 88"}).json()["changes"]) == 1


def test_an_entry_of_the_audit_log_leads_to_what_it_is_about(site: Site) -> None:
    """A device, a model or a run that still has a page; a message of the quarantine names its device."""
    site.plant.raw(b"not JSON", "pump-12")
    with site.client() as client:
        wait_for(lambda: len(client.get("/v1/quarantine").json()["entries"]) == 1, "the message")
        for each in client.get("/v1/quarantine").json()["entries"]:
            assert (
                client.post(f"/console/quarantine/{each['id']}/discard", data={"typed": "discard"}).status_code == 303
            )
        client.post("/console/devices/mill-03/retire")
        client.post("/console/devices/mill-03/restore")
        label = {"device": "gone-99", "from": "2026-11-20T10:00", "open": "yes", "label": "yes"}
        assert client.post("/console/labels", data=label).status_code == 303
        client.post("/console/models/other/notes", data={"notes": "for the links", "description": "", "tags": ""})
        page = client.get("/console/audit").text
    for said in (
        'retired <a href="/console/devices/mill-03">mill-03</a>',
        'discarded a message of <a href="/console/devices/pump-12">pump-12</a> from quarantine',
        "added label “yes”, gone-99, since",
        'changed the notes of <a href="/console/models/other">other</a>',
    ):
        assert said in page, said


@pytest.mark.parametrize("language", ["en", "pt-BR"])
def test_the_overview_says_what_was_counted_today_and_what_each_worker_does(site: Site, language: str) -> None:
    with site.client(**{"Accept-Language": language}) as client:
        wait_for(lambda: client.get("/v1/ledger").json()["today"] is not None, "a mark of the ledger")
        before = client.get("/v1/ledger").json()["today"]["received"]
        site.plant.publish(GOOD, "mill-03")
        wait_for(lambda: client.get("/v1/ledger").json()["today"]["received"] > before, "the reading")
        today = client.get("/v1/ledger").json()["today"]
        assert today["unaccounted"] == 0
        page = client.get("/console/overview").text
        word = {"en": ("Since", "Today"), "pt-BR": ("Desde", "Hoje")}[language][today["whole"]]
        assert re.search(rf'scope="col">{word}[^<]*</th>', page)
        (worker,) = client.get("/v1/selection/rollout").json()["workers"]
        assert worker["rate"] is not None
        assert "p99 ms" in page


def test_devices_are_sorted_by_their_minutes_in_alarm(site: Site) -> None:
    with site.client() as client:

        def state(device: str) -> str:
            return str(client.get(f"/v1/devices/{device}").json()["state"])

        def until(device: str, wanted: str) -> None:
            def is_so() -> bool:
                site.plant.publish(BAD if wanted == "alarm" else GOOD, device)
                return state(device) == wanted

            wait_for(is_so, f"{device} is {wanted}")

        until("pump-12", "alarm")
        client.post("/console/devices/pump-12/acknowledge")
        client.post("/console/devices/pump-12/shelve", data={"until": "2027-01-01T00:00"})
        first = client.get("/v1/devices?sort=alarm_minutes").json()
        assert first["devices"][0]["device_id"] == "pump-12"
        page = client.get("/console/devices?sort=alarm_minutes").text
        names = re.findall(r'<th scope="row"><a href="/console/devices/([^"]+)"', page)
        assert names[0] == "pump-12"
        assert 'aria-sort="descending"' in page
        assert "sort=alarm_minutes" in client.get("/console/devices").text
        client.post("/console/devices/pump-12/unshelve")


def test_with_a_damaged_registry_the_overview_says_what_continues(site: Site) -> None:
    log = Path(site.settings.registry.url.removeprefix("file://")) / "log"
    newest = max(log.glob("*.json"))
    damaged = log / f"{int(newest.stem) + 1:08d}.json"
    with site.client() as client:
        site.plant.publish(GOOD)
        shutil.copy(newest, damaged)
        try:
            wait_for(lambda: "The registry cannot be read" in client.get("/console/overview").text, "the damage")
            page = client.get("/console/overview").text
            assert "model in memory" in page
            assert "no model" not in page
            assert re.search(r'<span class="state live">[^<]+</span><span class="sub">small</span>', page)
            answer = client.get("/console/models")
            assert answer.status_code == 500
            assert "does not follow the one before it" in answer.text
            assert '<a href="/console/models" aria-current="page"' in answer.text
            assert damaged.name in answer.text
        finally:
            damaged.unlink()
        wait_for(lambda: client.get("/console/models").status_code == 200, "the registry")


def test_a_key_that_ends_soon_stands_out_until_it_is_revoked(site: Site) -> None:
    keys = site.settings.api.keys_file
    soon, _ = new_key(keys, "viewer", "ends soon", 8 * 86_400 + 1_800)
    with site.client() as client:
        page = client.get("/console/keys").text
        row = page[page.index("ends soon") :].partition("</tr>")[0]
        assert '<span class="state watch-level">in 8 d</span>' in row
        assert client.post(f"/console/keys/{soon.id}/revoke").status_code == 303
        page = client.get("/console/keys").text
        assert "watch-level" not in page[page.index("ends soon") :].partition("</tr>")[0]


def test_without_the_broker_nothing_claims_that_devices_are_ok_now(site: Site) -> None:
    services = make_services(site.settings)
    try:
        console = make_console(services)
        now = console.plant.read()
        assert now.ingesters
        gone = tuple(replace(each, is_connected=False) for each in now.ingesters)
        away = replace(now, ingesters=gone, connected_workers=0, broker_away_since=now.at, not_ok=())
        renderer = console.renderers["en"]

        def said(view: PlantView) -> str:
            shown = overview(console, renderer, "viewer", view)
            parts = [renderer.macro("overview/parts.html", name, shown) for name in ("attention", "states")]
            return " ".join((*parts, renderer.macro("shell/watch.html", "watch", view)))

        calm = said(replace(now, counts=dict.fromkeys(STATES, 0), not_ok=()))
        assert "No device in alarm" in calm
        assert "are OK" in calm
        text = said(replace(away, counts=dict.fromkeys(STATES, 0)))
        assert "unknown since then" in text
        assert "Devices that were not OK" in text
        assert "No device in alarm" not in text
        assert "are OK" not in text
    finally:
        services.redis.close()
        services.patient_redis.close()


def test_what_is_not_there_or_not_allowed_has_a_link_to_a_page_that_is(site: Site) -> None:
    with site.client("operator") as client:
        for path, listed in (
            ("devices/nothing", "devices"),
            ("models/nothing", "models"),
            ("runs/2026", "runs"),
            ("no/such", "overview"),
        ):
            answer = client.get(f"/console/{path}")
            assert answer.status_code == 404
            assert f'<a class="btn primary" href="/console/{listed}">' in answer.text, path
            assert "Try again" not in answer.text, path
    with site.client("viewer") as client:
        for path in ("audit", "keys/none/revoke", "models/other/select"):
            answer = client.get(f"/console/{path}")
            assert answer.status_code == 403
            assert '<a class="btn primary" href="/console/overview">' in answer.text, path
            assert "Try again" not in answer.text, path


def test_keys_of_one_name_are_told_apart(site: Site) -> None:
    """The id is beside the name on every screen, and on the page that revokes a key."""
    made = [new_key(site.settings.api.keys_file, "viewer", "screen in the hall")[0] for _ in range(2)]
    with site.client() as client:
        page = client.get("/console/keys").text
        for key in made:
            name = page.index(f"</span>{key.id}</span></th>")
            assert "screen in the hall" in page[name - 120 : name]
            assert f'<dd class="mono">{key.id}</dd>' in client.get(f"/console/keys/{key.id}/revoke").text


def test_the_newest_key_is_first_and_those_that_are_revoked_are_last(site: Site) -> None:
    keys = [new_key(site.settings.api.keys_file, "viewer", f"tablet {number}")[0] for number in range(3)]
    with site.client() as client:
        assert client.post(f"/console/keys/{keys[2].id}/revoke").status_code == 303
        page = client.get("/console/keys").text
        rows = re.findall(r"</span>([0-9a-f]{8})</span></th>", page)
        assert rows[:2] == [keys[1].id, keys[0].id]
        assert rows[-1] != keys[0].id
        assert rows.index(keys[2].id) > rows.index(keys[0].id)


def test_an_undone_label_still_shows_what_it_said(site: Site) -> None:
    period = {"device": "mill-03", "from": "2026-11-16T10:00", "to": "", "open": "yes", "label": "yes"}
    with site.client("operator") as client:
        added = client.post("/console/labels", data=period).headers["location"]
        client.post("/console/labels/undo", data={"id": added.partition("done=")[2]})
        for path in ("labels?undone=yes", "devices/mill-03"):
            assert re.search(
                r'<td>yes<span class="sub"><span class="state off">Undone', client.get(f"/console/{path}").text
            )
        client.cookies.set("zelador_language", "pt-BR")
        events = client.get("/console/devices/mill-03").text
        assert "desfez o rótulo “sim”, desde 16 nov. 10:00" in events
        assert ">Todas</button>" in client.get("/console/overview").text
