"""After each form, the next page says what was done, once, with the object's name; an acknowledgment can be undone."""

from __future__ import annotations

import html
import json
import re
import time
from urllib.parse import quote

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request
from starlette.responses import Response

from admin.console.said import COOKIE, Said, keep, said_in
from tests.attacks.api import wait_for
from tests.console.conftest import Site
from tests.console.outline import shape
from tests.console.plant import BAD
from tests.console.test_acknowledging import alarm

NAME = "presse-é/7 ✓"[:9].replace("/", "-")


def told(answer: httpx.Response) -> str:
    """What the page says in its notice, as plain text; empty without one."""
    found = re.search(r'<section class="notice[^>]* role="status".*?</section>', answer.text, re.DOTALL)
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", found[0]))).strip() if found else ""


def press(client: httpx.Client, path: str, **fields: str) -> httpx.Response:
    answer = client.post(f"/console/{path}", data=fields)
    assert answer.status_code == 303, answer.text[-500:]
    page = client.get(answer.headers["location"])
    shape(page)
    return page


def fields_of(page: httpx.Response, action: str) -> dict[str, str]:
    form = next(each for each in re.findall(r"<form.*?</form>", page.text, re.DOTALL) if f'action="{action}"' in each)
    return dict(re.findall(r'name="(\w+)" value="([^"]*)"', form))


def test_each_act_on_a_device_is_said_once(site: Site) -> None:
    alarm(site, NAME)
    path = f"devices/{quote(NAME, safe='')}"
    with site.client("operator") as client:
        done = press(client, f"{path}/acknowledge")
        assert told(done).startswith(f"Alarm of {NAME} acknowledged")
        assert told(client.get(f"/console/{path}")) == ""
        again = told(press(client, f"{path}/acknowledge"))
        assert again.startswith(f"The alarm of {NAME} was acknowledged already Nothing was changed")
        assert "No alarm is raised or sent for it until" in told(press(client, f"{path}/shelve", hours="8", why="x"))
        shelved = {"until": "2027-01-20T06:00", "why": "bearing"}
        assert "is shelved" in told(press(client, f"{path}/shelve", **shelved))
        assert "already Nothing was changed." in told(press(client, f"{path}/shelve", **shelved))
        for act, said in (
            ("unshelve", f"{NAME} is no longer shelved"),
            ("retire", f"{NAME} is retired"),
            ("restore", f"{NAME} is back"),
        ):
            assert told(press(client, f"{path}/{act}")).startswith(said)
        with site.client() as admin:
            changes = admin.get("/v1/audit", params={"what": "devices", "q": NAME}).json()["changes"]
        assert [each["what"].partition(" ")[2] for each in changes] == [
            "restored", "retired", "unshelved", "shelved", "shelved", "acknowledged",
        ]  # fmt: skip
        client.headers["Accept-Language"] = "pt-BR"
        assert told(press(client, f"{path}/retire")).startswith(f"{NAME} foi retirado Ele não é mais vigiado.")
        press(client, f"{path}/restore")


def test_an_acknowledgment_is_undone_where_it_was_given(site: Site) -> None:
    """On the overview, on the page of the device, and all at once. What went on meanwhile is left, as the page says."""
    alarm(site, "lathe-01", "lathe-02")
    one = "/console/devices/lathe-01/unacknowledge"
    with site.client("operator") as client:
        page = press(client, "devices/lathe-01/acknowledge", back="overview")
        fields = fields_of(page, one)
        assert page.url.path == "/console/overview"
        undone = press(client, one.removeprefix("/console/"), **fields)
        assert (undone.url.path, told(undone)) == (
            "/console/overview", "Acknowledgment of lathe-01 undone Its alarm needs somebody again."
        )  # fmt: skip
        assert client.get("/v1/devices/lathe-01").json()["state"] == "alarm"
        time.sleep(0.002)  # acknowledgments are told apart by their milliseconds
        press(client, "devices/lathe-01/acknowledge")
        stale = client.post(one, data=fields)
        assert stale.status_code == 409
        assert "The alarm was acknowledged again meanwhile. Nothing was changed." in stale.text
        assert client.get("/v1/devices/lathe-01").json()["state"] == "acknowledged"
        page = client.get("/console/devices/lathe-01")
        assert "Undo the acknowledgment" in page.text
        press(client, one.removeprefix("/console/"), **fields_of(page, one))
        gone = client.post(one)
        assert (gone.status_code, "Nothing was changed." in gone.text) == (409, True)
        at = fields_of(client.get("/console/alarms/acknowledge"), "/console/alarms/acknowledge")["at"]
        page = press(client, "alarms/acknowledge", at=at)
        assert re.match(r"\d+ alarms acknowledged", told(page))
        again = client.get("/console/states/acknowledged")
        assert "in the last 10 minutes" in again.text
        assert client.post("/v1/devices/lathe-02/unacknowledge").json()["state"] == "alarm"
        fields = fields_of(page, "/console/alarms/unacknowledge")
        undone = press(client, "alarms/unacknowledge", **{name: fields[name] for name in ("since", "until")})
        assert re.match(r"\d+ acknowledgments? undone", told(undone))
        assert client.get("/v1/devices/lathe-01").json()["state"] == "alarm"
        nothing = client.post("/console/alarms/unacknowledge", data={"since": "1", "until": "2"})
        assert (nothing.status_code, "No acknowledgment can be undone any more" in nothing.text) == (409, True)
    with site.client("admin") as client:
        entries = client.get("/v1/audit?limit=50").json()["changes"]
        assert "lathe-01" in [e["target"] for e in entries if e["what"] == "alarm acknowledgment undone"]
    with site.client("viewer") as client:
        assert client.post(one).status_code == 403
        assert "unacknowledge" not in client.get("/console/devices/lathe-01").text


def test_a_replay_says_how_many_passed_and_how_many_stay(site: Site) -> None:
    with site.client("operator") as client:
        site.plant.raw(b"{broken")
        site.plant.raw(b"[broken")
        site.plant.raw(json.dumps({**BAD, "temperature": "warm"}).encode(), "saw-11")
        wait_for(lambda: len(client.get("/v1/quarantine").json()["entries"]) == 3, "the quarantine")
        assert told(press(client, "quarantine-replay")) == "0 of 3 passed 3 were refused again and stay here."
        client.headers["Accept-Language"] = "pt-BR"
        again = told(press(client, "quarantine-replay", reason=""))
        assert again == "Aceitas: 0 de 3 3 foram recusadas de novo e ficam aqui."
        client.headers["Accept-Language"] = "en"
        assert told(press(client, "quarantine-replay", only="passing")).startswith("Nothing was replayed")
        entry = client.get("/v1/quarantine").json()["entries"][0]["id"]
        assert told(press(client, f"quarantine/{entry}/replay")).startswith("It stays in quarantine")
        gone = press(client, f"quarantine/{entry}/discard", typed="discard")
        assert told(gone).startswith("Message of saw-11 discarded")


def test_acts_on_models_keys_and_sessions_are_said(site: Site) -> None:
    with site.client("admin") as client:
        assert told(press(client, "models/other/select")) == (
            "other is selected The workers take it over by themselves. Undo : Selects small again"
        )
        assert told(press(client, "rollback")).startswith("Rolled back to small")
        assert told(press(client, "models/other/notes", notes="x")) == "Notes of other saved"
        assert told(press(client, "training/again")) == "The readings are loaded again"
        made = client.post("/console/keys", data={"note": "<tablet>", "role": "viewer"})
        assert told(made).startswith("Key for “<tablet>” made")
        key = next(each["id"] for each in client.get("/v1/keys").json()["keys"] if each["note"] == "<tablet>")
        assert told(press(client, f"keys/{key}/revoke")).startswith("Key of <tablet> revoked")
        answer = client.post("/console/models/hungry/delete", data={"typed": "hungry"})
        assert told(client.get(answer.headers["location"])) == "hungry deleted"
        out = client.post("/console/signout")
        page = client.get(out.headers["location"])
        assert '<p role="status">You are signed out.</p>' in page.text
        assert "You are signed out" not in client.get("/console/signin").text


@given(name=st.text(max_size=600), counts=st.dictionaries(st.sampled_from(["count", "at"]), st.integers(0, 2**53)))
def test_a_browser_brings_back_what_it_was_given(name: str, counts: dict[str, int]) -> None:
    """Names of any length and script fit a cookie; names that are too long are cut."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return
    response = Response()
    keep(response, Said("shelved", name, counts), is_secure=False)
    kept = response.headers["set-cookie"].partition(";")[0]
    assert len(kept) < 3_700
    found = said_in(Request({"type": "http", "headers": [(b"cookie", kept.encode())]}))
    assert found is not None
    assert (found.what, found.counts) == ("shelved", counts)
    assert name.startswith(found.name.removesuffix("…"))


@pytest.mark.parametrize("text", ["", "x", "e30=", "=" * 5, "A" * 9_000, "eyJ3aGF0IjoicHdueiJ9", '"é"'])
def test_a_cookie_that_is_none_of_ours_says_nothing(text: str) -> None:
    assert said_in(Request({"type": "http", "headers": [(b"cookie", f"{COOKIE}={text}".encode("latin-1"))]})) is None
