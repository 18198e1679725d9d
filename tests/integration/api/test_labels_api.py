"""Labels of periods over HTTP and at the command line: added, listed, undone, imported, audited."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from tests.command import zelador
from tests.integration.api.test_api import api_settings as api_settings
from tests.integration.api.test_api import client as client
from tests.integration.api.test_api import is_problem
from tests.integration.test_repeats import NOW, Site, sample
from zelador.messages import iso
from zelador.settings import Settings

ORDERS = b"asset;start;end;state\npress;%s;%s;yes\npress;%s;;no\n" % tuple(
    iso(NOW + each).encode() for each in (1_000, 4_000, 5_000)
)


@pytest.fixture
def site(api_settings: Settings) -> Site:
    found = Site(api_settings)
    found.send(*(sample(i, ts=NOW + 1_000 * i) for i in range(8)))
    return found


def labels_of(client: httpx.Client) -> list[str | None]:
    found = client.get("/v1/readings", params={"limit": 100}).json()["readings"]
    return [each["label"] for each in reversed(found)]


def test_a_label_is_added_listed_and_undone(client: httpx.Client, site: Site) -> None:
    body = {"device": "press", "from": iso(NOW + 1_000), "to": iso(NOW + 3_000), "label": True, "note": "4471"}
    added = client.post("/v1/labels", json=body)
    assert added.status_code == 201, added.text
    one = added.json()["label"]
    kinds = [each["kind"] for each in added.json()["findings"]]
    assert (one["label"], one["readings"], one["source"], one["undone"]) == ("1", 2, "api", False)
    assert kinds == ["new label"]
    assert labels_of(client) == [None, "1", "1"] + [None] * 5
    is_problem(client.post("/v1/labels", json=body), 409, "conflict")
    again = client.post("/v1/labels", json={**body, "label": "no", "to": None, "id": "wo"}).json()
    assert [each["kind"] for each in again["findings"]] == ["overlap"]
    assert [each["id"] for each in client.get("/v1/labels").json()["labels"]] == ["wo", one["id"]]
    undone = client.post("/v1/labels/wo/undo").json()
    assert (undone["undone"], undone["readings"]) == (True, 0)
    assert labels_of(client) == [None, "1", "1"] + [None] * 5
    is_problem(client.post("/v1/labels/wo/undo"), 409, "conflict")
    is_problem(client.post("/v1/labels/nothing/undo"), 404, "not-found")
    is_problem(client.get("/v1/labels/nothing"), 404, "not-found")
    assert [each["id"] for each in client.get("/v1/labels").json()["labels"]] == [one["id"]]
    assert client.get("/v1/labels", params={"all": True}).json()["total"] == 2
    assert client.get("/v1/labels", params={"device": "pump"}).json()["labels"] == []
    twice = client.post("/v1/labels", json={**body, "label": "no", "to": None, "id": "wo"}).json()
    assert twice["label"]["id"] == "wo.2"  # the first stays in the list unchanged
    acts = [(each["what"], each["target"]) for each in client.get("/v1/audit").json()["changes"]]
    assert acts[:4] == [
        ("label added", "wo.2"), ("label undone", "wo"), ("label added", "wo"), ("label added", one["id"])
    ]  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [{"to": iso(NOW)}, {"from": "soon"}, {"label": ""}, {"device": "a/b"}, {"from": None}, {"x": 1}, {"from": True}],
)
def test_a_value_that_is_not_a_label_is_refused(client: httpx.Client, change: dict[str, object]) -> None:
    body = {"device": "press", "from": iso(NOW), "to": iso(NOW + 1), "label": "yes"}
    is_problem(client.post("/v1/labels", json={**body, **change}), 422, "invalid-input")
    assert client.get("/v1/labels", params={"all": True}).json()["total"] == 0


def test_a_table_is_previewed_imported_and_imported_again(client: httpx.Client, site: Site) -> None:
    def post(data: bytes, **options: object) -> httpx.Response:
        params = {"columns": "device=asset,from=start,to=end", **options}
        return client.post(
            "/v1/labels/import", params=params, content=data, headers={"Content-Type": "application/octet-stream"}
        )

    shown = post(ORDERS, preview=True).json()
    assert (shown["added"], shown["readings"], shown["preview"]) == (2, 6, True)
    assert labels_of(client) == [None] * 8
    done = post(ORDERS).json()
    assert (done["added"], done["known"], done["classes"], done["refused"]) == (2, 0, {"yes": 1, "no": 1}, 0)
    assert labels_of(client) == [None, "yes", "yes", "yes", None, "no", "no", "no"]
    assert (post(ORDERS).json()["added"], post(ORDERS).json()["known"]) == (0, 2)
    bad = ORDERS + b"press;soon;;yes\nprass;2026-11-20T10:00Z;2026-11-20T11:00Z;Yes\n"
    refused = is_problem(post(bad), 422, "invalid-input")
    assert "line 4: 'soon' is not a time" in refused["detail"]
    shown = post(bad, preview=True).json()
    assert (shown["added"], shown["refused"], [each["line"] for each in shown["faults"]]) == (1, 1, [4])
    assert {each["kind"] for each in shown["findings"]} == {"unknown device", "label case"}
    assert post(bad, skip=True).json()["added"] == 1
    wrong = is_problem(post(b"a;b\n1;2\n"), 422, "invalid-input")
    assert "the table has no column" in wrong["detail"] and "--" not in wrong["detail"]
    ids = [each["id"] for each in client.get("/v1/labels").json()["labels"]]
    for each in ids:
        client.post(f"/v1/labels/{each}/undo")
    assert labels_of(client) == [None] * 8
    assert post(ORDERS).json()["added"] == 2  # an undone label may be given again
    assert labels_of(client) == [None, "yes", "yes", "yes", None, "no", "no", "no"]


def test_words_of_the_console_are_read_as_the_plants_classes(client: httpx.Client, site: Site) -> None:
    """A table that was written beside the console in Portuguese made classes of its own, without a word."""
    table = (
        "Equipamento;Início;Fim;Rótulo\npress;2026-11-20T10:00Z;2026-11-20T11:00Z;Sim\n"
        "press;2026-11-20T12:00Z;2026-11-20T13:00Z;não\npress;2026-11-20T14:00Z;2026-11-20T15:00Z;ok\n"
    )
    body = {"device": "press", "from": iso(NOW), "to": iso(NOW + 1), "label": "SIM"}
    added = client.post("/v1/labels", json=body).json()
    assert added["label"]["label"] == "yes"
    assert "“SIM” was read as “yes”" in [each["sentence"] for each in added["findings"]]
    for preview in (True, False):
        done = client.post("/v1/labels/import", params={"preview": preview}, content=table.encode()).json()
        assert done["classes"] == {"yes": 1, "no": 1, "ok": 1}
        assert [each["sentence"] for each in done["findings"] if each["kind"] in ("read as", "new label")] == [
            "“Sim” was read as “yes”",
            "“não” was read as “no”",
            "new label: “ok”; the plant has no, yes",
        ]
    id_ = added["label"]["id"]
    client.post(f"/v1/labels/{id_}/undo")
    again = client.post("/v1/labels", json=body).json()
    assert (again["label"]["id"], again["label"]["label"]) == (f"{id_}.2", "yes")


def test_the_command_line_does_the_same(
    client: httpx.Client, site: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ZELADOR_REDIS__URL", site.settings.redis.url)
    monkeypatch.setenv("ZELADOR_REDIS__PREFIX", site.settings.redis.prefix)
    monkeypatch.setenv("ZELADOR_API__KEYS_FILE", str(site.settings.api.keys_file))
    file = tmp_path / "orders.csv"
    file.write_bytes(ORDERS)

    def run(*words: str, fails: bool = False) -> str:
        done = zelador(*words)
        assert (done.code != 0) == fails, done.err
        return done.err if fails else done.out

    added = run("labels", "add", "--device", "press", "--from", iso(NOW), "--to", iso(NOW + 1_000), "--label", "ok")
    assert added.rstrip().endswith(", 1 reading")
    run("labels", "import", str(file), "--columns", "device=asset,from=start,to=end")
    found = json.loads(run("labels", "list", "--json"))
    keys = {"id", "device", "from", "to", "label", "note", "by", "at", "source", "readings", "undone"}
    assert keys <= set(found[0])
    assert [(each["label"], each["source"], each["readings"]) for each in found] == [
        ("no", "import", 3), ("yes", "import", 3), ("ok", "command line", 1)
    ]  # fmt: skip
    run("labels", "undo", found[0]["id"])
    assert len(json.loads(run("labels", "list", "--json"))) == 2
    assert [each["undone"] for each in json.loads(run("labels", "list", "--json", "--all"))] == [True, False, False]
    assert "--from" in run("labels", "add", "--device", "p", "--from", "soon", "--label", "x", fails=True)
