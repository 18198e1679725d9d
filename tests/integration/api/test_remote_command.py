"""`zelador models … --url`: the same commands on a registry behind the admin API, with the same answers."""

from __future__ import annotations

import http.server
import json
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from command.api_client import Api
from operations.key_file import new_key
from registry.registry import Registry
from tests.command import Done, zelador
from tests.integration.api.test_api import api_settings, serving
from tests.small_models import select_one, upload
from zelador.errors import Conflict, InvalidInput
from zelador.settings import Settings

__all__ = ["api_settings"]
READING = ("lux=412", "temperature=61.4", "vibration=3.82")


@pytest.fixture
def registry(api_settings: Settings) -> Registry:
    found = select_one(api_settings.registry.url)
    found.save("other", upload(with_probabilities=False), by="test")
    return found


@pytest.fixture
def client(
    registry: Registry, api_settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Iterator[httpx.Client]:
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")  # no local registry is created
    with serving(api_settings) as found:
        monkeypatch.setenv("ZELADOR_REMOTE__URL", str(found.base_url))
        monkeypatch.setenv("ZELADOR_REMOTE__KEY", found.headers["Authorization"].split()[1])
        yield found


def here(registry: Registry, *arguments: str) -> Done:
    """The same command on the registry's own folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("ZELADOR_REMOTE__URL")
        patch.setenv("ZELADOR_REGISTRY__URL", str(registry._store.path))
        return zelador(*arguments)


def facts(done: Done) -> Done:
    """The output without the card's section on usage, whose addresses depend on the place."""
    return replace(done, out=done.out.partition("## How to use it")[0])


def test_reading_commands_print_the_same_here_and_there(client: httpx.Client, registry: Registry) -> None:
    for arguments in (
        ("models", "list"), ("models", "list", "--json"), ("models", "list", "-q", "other", "--type", "Ridge"),
        ("models", "list", "--sort", "-holdout.F1", "--least", "holdout.F1:0.1", "--limit", "1", "--json"),
        ("models", "compare", "small", "other"),
        ("models", "history", "--json"), ("models", "card", "small"), ("classify", *READING),
        ("classify", *READING, "--model", "other", "--json"),
    ):  # fmt: skip
        there = zelador(*arguments)
        assert there.code == 0, there.err
        assert facts(there) == facts(here(registry, *arguments)), arguments
    assert list(Path().iterdir()) == []


def test_a_remote_evaluation_gives_the_same_result_and_is_stored_there(
    client: httpx.Client, registry: Registry, tmp_path: Path, eventually: Callable[..., None]
) -> None:
    ask = {"readings": [{"lux": 412.0, "temperature": 61.4, "vibration": 3.82}]}
    eventually(lambda: client.post("/v1/classify", json=ask).is_success, "the process to start", within_s=90)
    table = tmp_path / "may.csv"
    lines = [f"{400 + i % 9};{50 + i % 5};{0.1 * (i % 60):.1f}".replace(".", ",") for i in range(120)]
    labeled = [f"{line};{'yes' if i % 60 > 30 else 'no'}" for i, line in enumerate(lines)]
    table.write_text("lux;temperature;vibration;state\n" + "\n".join([*labeled, ";;;yes"]) + "\n")
    asked = ("evaluate", "--model", "small", "--model", "other", "--csv", str(table), "--label", "state", "--json")
    done = zelador(*asked)
    assert done.code == 0, done.err
    there = done.json
    (kept,) = client.get("/v1/models/other").json()["evaluations"]
    assert kept["metrics"] == there["models"][1]["metrics"]
    own = here(registry, *asked, "--no-keep").json
    assert {**own, "at": "", "by_whom": ""} == {**there, "at": "", "by_whom": ""}


def test_a_model_that_the_plant_cannot_feed_is_selected_only_with_force(
    client: httpx.Client, registry: Registry
) -> None:
    registry.save("wide", upload(features=("lux", "humidity", "vibration")), by="test")
    refused = zelador("models", "select", "wide")
    assert (refused.code, "needs humidity" in refused.err) == (2, True)
    assert zelador("models", "select", "wide", "--force").code == 0


def test_changes_are_made_in_the_remote_registry(client: httpx.Client, registry: Registry) -> None:
    assert zelador("models", "select", "other", "--why", "try").code == 0
    assert zelador("models", "rollback", "--why", "alarms", "--json").json["model"] == "small"
    registry.sync()
    assert [(each.model, each.why) for each in registry.state.history[1:]] == [("other", "try"), ("small", "alarms")]
    told = ("--description", "d", "--notes", "n", "--set", "owner=ana", "--tag", "a", "--tag", "b")
    assert zelador("models", "annotate", "other", *told).code == 0
    assert zelador("models", "annotate", "other", "--untag", "a").code == 0
    registry.sync()
    model = registry.state.models["other"]
    assert [model.metadata[key] for key in ("description", "notes", "owner")] == ["d", "n", "ana"]
    assert model.tags == ("b",)
    refused = zelador("models", "delete", "small")
    assert (refused.code, "select another one" in refused.err) == (2, True)
    refused = zelador("models", "rename", "small", "press")
    assert (refused.code, "select another one" in refused.err) == (2, True)
    assert zelador("models", "rename", "other", "press", "--why", "line 2", "--json").json["name"] == "press"
    assert zelador("models", "rename", "other", "x").code == 2
    assert reason(registry) == "line 2"
    assert zelador("models", "delete", "press", "--why", "slow & wrong").code == 0
    assert reason(registry) == "slow & wrong"
    registry.sync()
    assert set(registry.state.models) == {"small"}


def reason(registry: Registry) -> str:
    """The reason in the newest entry."""
    found: str = json.loads(max(registry._store.path.glob("log/*.json")).read_text())["why"]
    return found


def test_a_model_is_sent_and_fetched_as_one_file(client: httpx.Client, registry: Registry) -> None:
    assert zelador("models", "export", "small", "small.zip").code == 0
    assert zelador("models", "import", "small.zip", "--name", "again", "--why", "a copy").code == 0
    registry.sync()
    assert "again" in registry.state.models
    registry.load("again")
    assert zelador("models", "import", "small.zip").code == 2  # the name is taken there


def test_every_page_of_a_long_list_is_read(
    client: httpx.Client, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("command.models.remote.PAGE", 1)
    for name in ("other", "small", "other"):
        registry.select(name, by="test")
    assert len(zelador("models", "list", "--json").json) == 2
    assert [each["model"] for each in zelador("models", "history", "--json").json] == [
        "other",
        "small",
        "other",
        "small",
    ]


def test_a_change_after_a_concurrent_change_is_refused(client: httpx.Client, registry: Registry) -> None:
    api = Api(str(client.base_url), client.headers["Authorization"].split()[1])
    seen = api.call("GET", "/v1/models/other").headers["etag"]
    registry.annotate("other", {"owner": "ana"}, by="another")
    with pytest.raises(Conflict):
        api.call("PATCH", "/v1/models/other", {"notes": "n"}, headers={"If-Match": seen})


def test_a_key_without_the_right_is_reported_and_never_shown(
    client: httpx.Client, api_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, viewer = new_key(api_settings.api.keys_file, role="viewer")
    for key in (viewer, "zlk_" + "x" * 43):
        refused = zelador("models", "select", "other", "--key", key)
        assert (refused.code, refused.out) == (2, "")
        assert "refuses the key" in refused.err
        assert key not in refused.err
    monkeypatch.delenv("ZELADOR_REMOTE__KEY")
    assert "ZELADOR_REMOTE__KEY" in zelador("models", "list").err


def test_a_key_follows_no_redirect() -> None:
    asked: list[str] = []

    class Elsewhere(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(302)
            self.send_header("Location", "/stolen")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with http.server.HTTPServer(("127.0.0.1", 0), Elsewhere) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            with pytest.raises(InvalidInput, match="not followed"):
                Api(f"http://127.0.0.1:{server.server_port}", "zlk_x").call("GET", "/v1/models")
        finally:
            server.shutdown()
            thread.join(60)
    assert asked == ["/v1/models"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://x", "must look like"), ("http://user:secret@x", "must look like"), ("http://x?key=1", "must look like"),
        ("http://127.0.0.1:1", "does not answer"),
    ],
)  # fmt: skip
def test_an_invalid_address_is_reported_in_one_line(url: str, said: str) -> None:
    refused = zelador("models", "list", "--url", url, "--key", "zlk_x")
    assert (refused.code, len(refused.err.splitlines())) == (2, 1)
    assert said in refused.err
    assert "secret" not in refused.err
