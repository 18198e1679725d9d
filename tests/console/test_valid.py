"""Every page and state is valid HTML, by the Nu checker (vnu). `make test-html` runs it: it needs Java and npm."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.console.conftest import Site
from tests.console.ended_runs import CLEAR, ENDED
from tests.console.test_pages import ADMINS, MORE, RAIL
from tests.console.test_refused import CASES

JAR = os.environ.get("VNU_JAR", "")
pytestmark = pytest.mark.skipif(not JAR, reason="make test-html runs it")
STATES = (
    *RAIL, *ADMINS, *MORE, *(f"runs/{run}" for run in ENDED), f"training/like/{CLEAR}", "rollback", "nowhere",
    "models/small", "models?q=nothing", "labels?q=nothing", "devices?q=nothing", "audit?q=nothing", "states/ok",
)  # fmt: skip
ORDERS = b"asset,start,end,state\npress-77,2026-11-20 10:00,,yes\nmill-03,soon,,no\n"


@pytest.mark.parametrize("language", ["en", "pt-BR"])
def test_every_page_is_valid_html(site: Site, tmp_path: Path, language: str) -> None:
    with site.client("admin", **{"Accept-Language": language}) as client:
        paths = [f"/console/{each}" for each in STATES]
        made = client.post(
            "/console/labels", data={"device": "a", "from": "2026-11-20T10:00", "open": "yes", "label": language}
        )
        paths += [made.headers["location"], "/console/labels?undone=yes"]
        paths.append(client.post("/console/labels/import", files={"file": ("a.csv", ORDERS)}).headers["location"])
        pages = [(path, client.get(path).text) for path in paths]
        answered = client.post("/console/classify", data={"f.lux": "4", "f.temperature": "x", "f.vibration": "99"})
        pages += [("classify, refused", answered.text)]
        answered = client.post("/console/classify", data={"f.lux": "4", "f.temperature": "9", "f.vibration": "99"})
        pages += [("classify, answered", answered.text)]
        for case in {(each.action, each.at): each for each in CASES}.values():
            sent = {"Referer": f"{site.url}/console/{case.action.rpartition('/')[0]}"}  # in its dialog, if it has one
            answered = client.post(f"/console/{case.action}", data=case.fields, headers=sent)
            pages += [(f"{case.action}, refused for {case.at}", answered.text)]
    with site.client(None, **{"Accept-Language": language}) as client:
        pages += [("signin", client.get("/console/signin").text)]
        pages += [("signin, wrong", client.post("/console/signin", data={"key": "zlk_wrong"}).text)]
    names = {}
    for place, (path, text) in enumerate(pages):
        file = tmp_path / f"{place}.html"
        file.write_text(text, encoding="utf-8")
        names[file.as_uri()] = path
    command = [
        "java",
        "-jar",
        JAR,
        "--format",
        "json",
        "--exit-zero-always",
        "--stdout",
        *map(str, tmp_path.glob("*.html")),
    ]
    assert len(names) > 50
    said = json.loads(subprocess.run(command, check=True, capture_output=True, timeout=300).stdout)
    wrong = [
        f"{names.get(each.get('url', ''), each.get('url'))}: {each['message']} {each.get('extract', '')[:160]!r}"
        for each in said["messages"]
        if each["type"] != "info" or each.get("subType") == "warning"
    ]
    assert not wrong, "\n".join(wrong)
