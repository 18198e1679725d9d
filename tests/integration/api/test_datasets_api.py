"""Data sets over HTTP: loaded, kept, drawn, dropped, trained on."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import httpx
import pytest

from tests.integration.api.test_api import api_settings as api_settings
from tests.integration.api.test_api import client as client
from tests.integration.api.test_api import is_problem
from tests.integration.test_repeats import NOW, Site, sample
from zelador.messages import iso
from zelador.settings import Settings


@pytest.fixture
def site(api_settings: Settings) -> Site:
    found = Site(api_settings)
    for device in ("press-1", "press-2", "pump"):
        found.send(*(sample(i, ts=NOW + 1_000 * i, id=f"{device}{i}") for i in range(20)), device=device)
    return found


def test_a_data_set_is_loaded_described_cached_and_dropped(client: httpx.Client, site: Site) -> None:
    wanted = {"devices": ["press-*"], "from": iso(NOW + 5_000), "source": "buffer"}
    for device in ("press-1", "press-2"):
        body = {"device": device, "from": iso(NOW), "to": iso(NOW + 12_000), "label": "<b>yes</b>"}
        assert client.post("/v1/labels", json=body).status_code == 201
        body |= {"from": body["to"], "to": None, "label": "no"}
        assert client.post("/v1/labels", json=body).status_code == 201
    made = client.post("/v1/datasets", json=wanted)
    assert made.status_code == 201, made.text
    dataset, description = made.json()["dataset"], made.json()["description"]
    assert (dataset["cache"], dataset["rows"], description["rows"], description["devices"]) == ("miss", 30, 30, 2)
    assert description["classes"] == {"no": 16, "<b>yes</b>": 14}
    again = client.post("/v1/datasets", json=wanted).json()
    assert (again["dataset"]["cache"], again["description"]) == ("hit", description)
    assert client.get(made.headers["Location"]).json()["description"] == description
    assert [each["id"] for each in client.get("/v1/datasets").json()["datasets"]] == [dataset["id"]]
    drawn = client.get(f"/v1/datasets/{dataset['id']}/histograms/lux")
    assert drawn.headers["Content-Type"] == "image/svg+xml"
    texts = [each.text for each in ElementTree.fromstring(drawn.text).iter() if each.text]  # noqa: S314 - our own
    assert "<b>yes</b>" in texts
    is_problem(client.get(f"/v1/datasets/{dataset['id']}/histograms/none"), 404, "not-found")
    pinned = client.post("/v1/datasets", json=dataset["query"]).json()["dataset"]
    assert (pinned["digest"], pinned["query"]) == (dataset["digest"], dataset["query"])
    assert client.delete(f"/v1/datasets/{dataset['id']}").status_code == 204
    [dropped] = [each for each in client.get("/v1/audit").json()["changes"] if each["what"] == "data set dropped"]
    assert (dropped["target"], dropped["before"]["digest"]) == (dataset["id"], dataset["digest"])
    is_problem(client.get(f"/v1/datasets/{dataset['id']}"), 404, "not-found")
    is_problem(client.delete(f"/v1/datasets/{dataset['id']}"), 404, "not-found")


def test_a_run_takes_a_query_and_a_wrong_one_is_refused_at_once(client: httpx.Client, site: Site) -> None:
    for wrong, says in (
        ({"devices": ["drill"]}, None),
        ({"from": "yesterday"}, "from"),
        ({"from": iso(NOW), "to": iso(NOW)}, "not after"),
        ({"cap": 0}, "cap"),
        ({"path": "/etc/passwd"}, "path"),
        ({"source": "/etc/passwd"}, "source"),
        ({"labels_at": "2999-01-01T00:00:00Z", "devices": ["pump"]}, "in the future"),
    ):
        answer = client.post("/v1/datasets", json=wrong)
        assert answer.status_code in (400, 422), answer.text
        assert says is None or says in answer.text
    assert client.post("/v1/runs", json={"dataset": {"from": "yesterday"}}).status_code in (400, 422)
    query = {"devices": ["press-*"], "from": "2026-11-24T10:00:05"}
    run = client.post("/v1/runs", json={"dataset": query, "metric": "F1"})
    assert run.status_code == 202, run.text
    assert run.json()["request"]["dataset"]["from"] == "2026-11-24T10:00:05.000Z"
