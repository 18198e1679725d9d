"""The quarantine, the ledger beside it and readiness, as an operator sees them over HTTP."""

from __future__ import annotations

import base64
import re
from threading import Event

import httpx
import pytest

from tests.integration.api.test_api import api_settings as api_settings
from tests.integration.api.test_api import client as client
from tests.integration.api.test_api import is_problem, serving
from tests.integration.test_buffer import entry
from tests.integration.test_quarantine import HOT, Site
from tests.small_models import select_one
from zelador.settings import FieldSettings, HealthSettings, Settings

WIDER = {"temperature": FieldSettings(unit="°C", minimum=-100.0, maximum=10_000.0)}


@pytest.fixture
def site(api_settings: Settings) -> Site:
    return Site(api_settings)


def test_it_is_listed_in_pages_shown_whole_and_downloaded(client: httpx.Client, site: Site) -> None:
    first, second, third = site.refuse(HOT, b"\xff" * 1_000, b"junk")
    page = client.get("/v1/quarantine", params={"limit": 2}).json()
    assert [each["id"] for each in page["entries"]] == [third, second]
    assert (page["next"], page["kept"], page["discarded"]) == (second, 3, 0)
    rest = client.get("/v1/quarantine", params={"before": page["next"]}).json()
    assert ([each["id"] for each in rest["entries"]], rest["next"]) == ([first], None)
    hot = client.get(f"/v1/quarantine/{first}").json()
    assert (hot["kind"], hot["payload"], hot["whole"]) == ("refused", HOT.decode(), True)
    assert hot["reason"] == "temperature is 5000 °C, outside -100 to 1000"
    binary = client.get(f"/v1/quarantine/{second}").json()
    assert (binary["payload"], base64.b64decode(binary["payload_base64"])) == (None, b"\xff" * 1_000)
    download = client.get(f"/v1/quarantine/{second}/payload")
    assert (download.content, download.headers["content-type"]) == (b"\xff" * 1_000, "application/octet-stream")
    assert client.get("/v1/quarantine", params={"kind": "set_aside"}).json()["entries"] == []
    is_problem(client.get("/v1/quarantine", params={"kind": "other"}), 422, "invalid-input")
    is_problem(client.get("/v1/quarantine/1-1"), 404, "not-found")
    is_problem(client.get("/v1/quarantine/..%2f1"), 404, "not-found")
    is_problem(client.get("/v1/quarantine/abc"), 422, "invalid-input")


def test_a_message_is_replayed_once_its_cause_is_fixed(api_settings: Settings, site: Site) -> None:
    select_one(api_settings.registry.url)
    (hot,) = site.refuse(HOT)
    with serving(api_settings) as client:
        still = client.post(f"/v1/quarantine/{hot}/replay").json()
        assert (still["outcome"], still["reason"]) == ("still_refused", "temperature is 5000 °C, outside -100 to 1000")
    with serving(api_settings.model_copy(update={"fields": WIDER})) as client:
        done = client.post(f"/v1/quarantine/{hot}/replay").json()
        assert (done["outcome"], done["readings"]) == ("accepted", 1)
        ledger = client.get("/v1/ledger").json()
        assert (ledger["received"], ledger["accepted"], ledger["quarantined"], ledger["unaccounted"]) == (1, 1, 0, 0)
        is_problem(client.post(f"/v1/quarantine/{hot}/replay"), 404, "not-found")


def test_many_are_replayed_or_discarded_and_the_ledger_closes(client: httpx.Client, site: Site) -> None:
    ids = site.refuse(b"junk", b"more junk", b"[]")
    done = client.post("/v1/quarantine/replay", json={"ids": [ids[0], "1-1"]}).json()
    assert done["replayed"] == {"still_refused": 1, "gone": 1}
    assert done["left"][0]["id"] == ids[0]
    assert "not JSON" in done["left"][0]["reason"]
    assert client.post("/v1/quarantine/replay", json={"all": True}).json()["replayed"] == {"still_refused": 3}
    assert client.delete(f"/v1/quarantine/{ids[0]}").status_code == 204
    is_problem(client.delete(f"/v1/quarantine/{ids[0]}"), 404, "not-found")
    assert client.post("/v1/quarantine/discard", json={"ids": ids[1:2]}).json() == {"discarded": 1}
    assert client.post("/v1/quarantine/discard", json={"all": True, "kind": "refused"}).json() == {"discarded": 1}
    for wrong in ({}, {"ids": ids, "all": True}, {"al": True}):
        is_problem(client.post("/v1/quarantine/discard", json=wrong), 422, "invalid-input")
    ledger = client.get("/v1/ledger").json()
    assert (ledger["received"], ledger["quarantined"], ledger["unaccounted"]) == (3, 3, 0)
    assert ledger["quarantine"] == {"kept": 0, "kept_bytes": 0, "discarded": 3}


def test_earlier_losses_are_shown_beside_the_ledger(client: httpx.Client, site: Site) -> None:
    site.writer.append([], [])
    before = client.get("/v1/ledger").json()
    assert before["outside"] == {"missing": 0, "devices": {}, "broker_dropped": None, "sessions_lost": 0}
    from tests.integration.test_sequence import Site as Numbered

    Numbered(site.settings).say(1, 2, 5)
    after = client.get("/v1/ledger").json()
    assert after["outside"] == {"missing": 2, "devices": {"d": 2}, "broker_dropped": None, "sessions_lost": 0}
    assert after["unaccounted"] == 0
    metrics = client.get("/metrics").text
    assert "zelador_sequence_missing 2.0" in metrics
    assert "zelador_broker_dropped_messages" not in metrics  # unknown values are absent


def test_it_is_not_ready_while_readings_wait_and_none_is_settled(api_settings: Settings, site: Site) -> None:
    select_one(api_settings.registry.url)
    settings = api_settings.model_copy(update={"health": HealthSettings(stalled_after_s=0.2)})
    with serving(settings) as client:
        assert client.get("/readyz").status_code == 200
        site.writer.append([entry("a"), entry("b")], [])
        Event().wait(0.3)  # this tests the passing of time
        answer = client.get("/readyz")
        assert answer.status_code == 503
        assert re.match(r"2 readings wait and none was settled for \d+ s", answer.json()["detail"])
        assert "zelador_pipeline_stalled 1.0" in client.get("/metrics").text
        assert client.get("/v1/ledger").json()["lag_s"] > 0.2
        delivered = site.reader.read(10, 0.1) or site.reader.read(10, 0.1)
        from tests.integration.test_buffer import settle

        settle(site.reader, delivered)
        assert client.get("/readyz").status_code == 200
        assert "zelador_pipeline_stalled 0.0" in client.get("/metrics").text
