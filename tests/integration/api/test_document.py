"""The OpenAPI document is complete, and true of the running API (schemathesis sends the requests that it allows)."""

from __future__ import annotations

import base64
import hashlib
import html
import os
import re
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from admin.access.roles import FIELD
from admin.document.effects import UNDO, effect
from admin.document.problems import KINDS, TITLES
from tests.device_alarm import put_in_alarm
from tests.integration.api.test_api import api_settings as api_settings
from tests.integration.api.test_api import serving
from tests.integration.test_quarantine import HOT, Site
from tests.small_models import select_one
from zelador.settings import Settings

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
FAST = {"rate_per_s": 1e6, "rate_burst": 1_000_000, "changes_per_s": 1e6, "changes_burst": 1_000_000}
EXAMPLES = 12  # of each operation, at most
SECONDS = 15.0  # of all
ANSWER_S = 120.0  # of one; a model is loaded in a process of its own, which takes long on a busy machine
# These need a matching If-Match, an unselected model or a time in the future, which are rarely guessed: test_answers.py
# has an answer of these.
UNLIKELY = {"GET /v1/datasets/{dataset}/histograms/{feature}", "DELETE /v1/models/{name}", "PATCH /v1/models/{name}"}
UNLIKELY |= {"POST /v1/devices/{device}/shelve", "POST /v1/devices/{device}/unshelve"}
# test_runs_api.py: a run that has ended, with models
UNLIKELY |= {"POST /v1/runs/{run}/register", "GET /v1/runs/{run}/comparison"}
UNLIKELY |= {"POST /v1/runs/{run}/finish"}  # its run waits
UNLIKELY |= {"GET /v1/runs/{run}/threshold"}  # test_answers.py: a run with a report
STREAM = "GET /v1/runs/{run}/events"  # it does not end while the run is queued: test_run_events.py follows one
MODES = [schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE]


@schemathesis.serializer("application/zip")
def as_it_is(_context: Any, value: Any) -> Any:
    return value if isinstance(value, bytes) else str(value).encode()


@pytest.fixture
def document(api_settings: Settings) -> dict[str, Any]:
    with serving(api_settings) as client:
        found: dict[str, Any] = client.get("/openapi.json").json()
        return found


def test_every_operation_is_described_with_examples_and_errors(document: dict[str, Any]) -> None:
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            answers = operation["responses"]
            if not path.startswith("/v1"):
                continue
            assert operation[FIELD] in operation["description"], where
            assert operation["security"] == [{"key": []}], where
            assert {"401", "403", "429", "500", "503"} <= set(answers), where
            assert ("404" in answers) >= path.endswith("}"), where
            if method == "post":
                assert "Idempotency-Key" in [each["name"] for each in operation["parameters"]], where
            if method in ("post", "put", "patch") and "requestBody" in operation:
                assert {"400", "413", "422"} <= set(answers), where
            for status, answer in answers.items():
                assert answer["description"], where
                if int(status) >= 400:
                    assert list(answer["content"]) == ["application/problem+json"], where
                    assert answer["content"]["application/problem+json"]["example"]["status"] == int(status)
                elif status != "204" and "application/json" in answer["content"] and "manifest" not in path:
                    assert "example" in answer["content"]["application/json"], where
    assert "HTTPValidationError" not in str(document)
    answers = document["paths"]["/v1/models/{name}"]["patch"]["responses"]
    assert {"200", "404", "409", "412", "422", "428"} <= set(answers)
    assert "Content-Location" in answers["200"]["headers"]


def test_the_page_has_every_operation_runs_nothing_and_asks_no_other_host(api_settings: Settings) -> None:
    with serving(api_settings) as client:
        document, answer = client.get("/openapi.json").json(), client.get("/docs")
    found = re.findall(r'<b class="[a-z]+">([A-Z]+)</b><code>([^<]+)</code>', answer.text)
    assert found == [(method.upper(), path) for path, operations in document["paths"].items() for method in operations]
    for shape, key, kind in (("Model", "saved_by", "string"), ("Device", "seq", "integer or null")):
        (fields,) = {*re.findall(f"<h3>{shape}</h3><table>.*?</table>", answer.text)}
        assert f"<code>{key}</code></th><td>{kind}</td>" in fields
    (policy,) = answer.headers.get_list("content-security-policy")
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    assert base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() in policy
    assert "default-src 'none'" in policy
    assert not re.search("<script|https?://| style=| on[a-z]+=", answer.text)


def test_the_page_can_be_searched_and_has_commands_to_copy(api_settings: Settings) -> None:
    """The search is a form, because the page runs no script; hostile words are shown as text."""
    with serving(api_settings) as client:
        found = client.get("/docs", params={"q": "Quarantine  replay"}).text
        none = client.get("/docs", params={"q": '"><script>alert(1)</script>'})
        whole = client.get("/docs").text
        assert "false by default" in whole and "False by default" not in whole  # as a query has it
        assert '<a href="/console/">' in whole
        assert client.get("/docs", params={"q": "x" * 101}).status_code == 422
    paths = re.findall(r'<b class="[a-z]+">[A-Z]+</b><code>([^<]+)</code>', found)
    assert paths
    assert all("quarantine" in path for path in paths)
    assert "No operation has all these words" in none.text
    assert "<script" not in none.text
    assert "form-action 'self'" in none.headers["content-security-policy"]
    assert whole.count("<h3>Try it</h3>") == len(re.findall("<summary><b", whole))
    (select,) = re.findall(r"curl -X PUT[^<]*/v1/selection&quot;</pre>", whole)
    assert "Authorization: Bearer $KEY" in select
    assert "-d " in select
    assert "<i><small>Role: </small>operator</i>" in whole
    assert '<th scope="col"></th>' not in whole
    (label,) = re.findall(
        r"<h3>Try it</h3><p>([^<]+)<code>([^<]+)</code>.</p><pre[^>]*>curl[^<]*/v1/labels&quot;", whole
    )
    assert label == (
        "This command makes the change as soon as you run it. To undo it: ",
        "POST /v1/labels/{label}/undo",
    )


def test_what_undoes_an_operation_is_an_operation(document: dict[str, Any]) -> None:
    known = {f"{method.upper()} {path}" for path, operations in document["paths"].items() for method in operations}
    assert {*UNDO, *UNDO.values()} <= known
    assert effect("GET", "/v1/labels", "viewer") == effect("POST", "/v1/classify", "viewer") == ""
    assert effect("POST", "/v1/quarantine/replay", "operator").endswith("as soon as you run it.")


def test_the_commands_of_the_page_name_its_own_address_and_are_accepted(api_settings: Settings) -> None:
    """They are run as they are: with the examples of the bodies, and the If-Match without which a change is refused.

    Whoever may look gets the selected model and a device of the plant; a stranger gets words in capitals.
    """
    select_one(api_settings.registry.url)
    put_in_alarm(api_settings, "pressé-1")
    with serving(api_settings) as client:
        page = html.unescape(client.get("/docs").text)
        (place, key) = f"{client.base_url.host}:{client.base_url.port}", client.headers["Authorization"].split()[1]
        assert f"ZELADOR={place}  # host" in page
        commands = re.findall(r'<pre tabindex="0" class="copy">(curl .*?)</pre>', page, re.DOTALL)
        asked = {}
        for path in (
            "/v1/classify",
            "/v1/labels",
            "/v1/keys",
            "/v1/quarantine/replay",
            "/v1/models/NAME",
            "/v1/evaluations",
            "/v1/selection",
        ):
            (command, *_) = [each for each in commands if each.endswith(f'$ZELADOR{path}"') and " -d " in each]
            run = command.replace("/NAME", "/small") + " -s -o /dev/null -w '%{http_code}'"
            done = subprocess.run(
                ["/bin/sh", "-c", run], env={"ZELADOR": place, "KEY": key, "PATH": os.environ["PATH"]},
                capture_output=True, text=True, timeout=60,
            )  # fmt: skip
            asked[path] = done.stdout
        looked = next(each for each in commands if re.search("/devices/.*/history", each))
        elsewhere = client.get("/docs", headers={"Host": "<b>.example"}).text
        stranger = html.unescape(httpx.get(f"{client.base_url}/docs").text)
        wrong = html.unescape(client.get("/docs", headers={"Authorization": "Bearer zlk_wrong"}).text)
    assert set(asked.values()) <= {"200", "201", "202"}, asked
    assert "/v1/devices/press%C3%A9-1/history" in looked
    assert any('"device": "pressé-1"' in each and "/v1/labels" in each for each in commands)
    assert any("/v1/devices/DEVICE/retire" in each for each in commands), "what changes something names nothing"
    for page in (stranger, wrong):
        assert '{"model": "MODEL"}' in page
        assert not re.search(r"press(é|%C3)|\"small\"|models/small", page)
    assert "<b>.example" not in elsewhere
    assert "ZELADOR=127.0.0.1:8000 " in elsewhere


def test_every_type_of_problem_is_in_the_reference() -> None:
    text = (Path(__file__).parents[3] / "docs" / "reference" / "api.md").read_text()
    kinds = {kind for _, _, kind, _ in KINDS} | {kind for kind, _ in TITLES.values()}
    kinds |= {"idempotency-key-reused", "idempotency-key-in-use"}
    assert [kind for kind in sorted(kinds) if f"`{kind}`" not in text] == []


@pytest.mark.filterwarnings("ignore")  # warnings of the tool and of its dependencies
def test_schemathesis_finds_no_failure_and_no_answer_that_is_not_documented(api_settings: Settings) -> None:
    select_one(api_settings.registry.url)
    ids = Site(api_settings).refuse(HOT, b'{"lux": 1, "temperature": 2, "vibration": 0.1}', *[b"junk"] * 100)
    put_in_alarm(api_settings, "press")
    fast = api_settings.api.model_copy(update=FAST)
    with serving(api_settings.model_copy(update={"api": fast})) as client:
        schema = schemathesis.openapi.from_url(f"{client.base_url}/openapi.json", timeout=ANSWER_S)
        schema.config.generation.update(modes=MODES)
        operations = [found.ok() for found in schema.get_all_operations()]
        operations = [each for each in operations if each.label != STREAM]
        assert len(operations) > 35
        run = client.post("/v1/runs", json={}).json()["id"]
        key = client.post("/v1/keys", json={"role": "viewer"}).json()["id"]
        period = {"device": "press", "from": "2026-11-24T09:00:00Z", "label": "yes"}
        label = client.post("/v1/labels", json=period).json()["label"]["id"]
        there = {"name": "small", "file": "model.skops", "operation": "3", "run": run, "device": "press", "key": key}
        dataset = client.post("/v1/datasets", json={}).json()["dataset"]["id"]
        there |= {"label": label, "dataset": dataset, "feature": "lux"}
        asked: dict[str, list[int]] = {}
        for number, operation in enumerate(operations):
            share = SECONDS / len(operations)
            asked[operation.label] = ask(operation, client, share, {**there, "entry": ids[number % len(ids)]})
            assert asked[operation.label], f"{number}: {operation.label} was never asked"
    never = {label for label, statuses in asked.items() if "{" in label and min(statuses) >= 300}
    assert never <= UNLIKELY, "no answer of these was held against its schema"
    print(sum(map(len, asked.values())), "requests")  # noqa: T201


def ask(operation: Any, client: httpx.Client, within_s: float, there: dict[str, str]) -> list[int]:
    """The statuses of all answers; raises with a command that repeats the first whose answer is wrong.

    Every other request is about something that exists (`there`), because made-up ids never do.
    """
    until = time.monotonic() + within_s
    statuses: list[int] = []
    wrong: list[BaseException] = []  # raised at the end: an example that is repeated to find a smaller one may pass

    @hypothesis_settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(case=operation.as_strategy())
    def go_on(case: Any) -> None:
        held = (
            min(statuses, default=500) < 300 or not case.path_parameters
        )  # otherwise a busy machine would end it too early
        if wrong or (time.monotonic() > until and len(statuses) > 1 and held):
            return
        if len(statuses) % 2 == 0:
            case.path_parameters = {name: there[name] for name in case.path_parameters or {}}
        headers = {"Authorization": client.headers["Authorization"]}
        try:
            answer = case.call_and_validate(headers=headers, checks=CHECKS, timeout=ANSWER_S)
        except (FailureGroup, AssertionError, OSError) as error:
            wrong.append(error)
        else:
            statuses.append(answer.status_code)

    go_on()
    if wrong:
        raise wrong[0]
    return statuses
