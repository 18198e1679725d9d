"""The model card shows all known facts, and escapes all text from users."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from registry.card import POLICY, Card, card_html, card_markdown
from registry.card.numbers import interval
from registry.card.page import page_of
from registry.card.place import place_of
from registry.model.manifest import Feature
from zelador.model_metrics import METRICS
from zelador.settings import Settings

EVIL = (
    '</style><script src="http://evil.example/x.js">alert(1)</script> | `x` <img onerror=a src=//evil.example>'
    "\n```\n# h"
)
CURVE = {"false_alarms": [0.0, 0.1, 1.0], "found": [0.0, 0.9, 1.0], "area": 0.95}
REPORT: dict[str, Any] = {
    "roc": {"yes": CURVE},
    "calibration": {"yes": {"said": [0.1, 0.9], "was": [0.15, 0.8], "rows": [80, 20], "error": 0.12}},
    "threshold": {"yes": {"threshold": [0.4, 0.5], "recall": [0.9, 0.8], "precision": [0.7, None], "f1": [0.78, 0.8]}},
    "precision_recall": {"yes": {"recall": [1.0, 0.5, 0.0], "precision": [0.4, 0.9, 1.0], "area": 0.8765}},
    "by_class": [{"label": "yes", "rows": 1_035, "precision": 0.7654, "recall": 0.9, "f1": 0.8}],
    "by_device": {
        "metric": "F1",
        "devices": 31,
        "worst": "pump 7",
        "rows": [
            {"device": "pump 7", "rows": 40, "errors": 0.325, "score": 0.4321},
            {"device": "pump 8", "rows": 40, "errors": 0.0, "score": None},
        ],
    },
    "learning": {"metric": "F1", "stretches": [4, 8, 14], "scores": [0.6, 0.7, 0.8123], "sentence": "More would help."},
    "importance": {"metric": "F1", "features": [{"feature": "vibration", "mean": 0.6, "spread": 0.02}]},
    "training": {"lux": {"p1": 20.0, "p99": 1200.0, "median": 363.1, "missing": 0.002}},
}
FACTS: dict[str, Any] = {
    "name": "RandomForest_20261124_120432",
    "model_type": "RandomForest",
    "metric": "F1",
    "metrics": dict.fromkeys(METRICS, 0.9),
    "folds": {metric: [0.88, 0.92] for metric in METRICS},
    "holdout": {metric: 0.8 + i / 100 for i, metric in enumerate(METRICS)},
    "holdout_rows": 100,
    "train_rows": 2300,
    "positive": "yes",
    "rank": 1,
    "run": "20261124_120432-ab12",
    "classes": ["no", "yes"],
    "confusion": {"labels": ["no", "yes"], "counts": [[60, 5], [3, 32]]},
    "data": {"rows": 2400, "classes": {"no": 1773, "yes": 627}, "from": "2026-09-01T", "to": "2026-11-23T",
             "source": "the buffer", "sha256": "07e2b88d5a39f41c", "digest": "9f41c07e2b88d5a3", "missing_values": 4,
             "notes": ["a note"]},
    "description": "hall B",
    "tags": ["autumn"],
    "digest": "e37a0b6d91cc48f2",
    "saved_at": "2026-11-24T12:04:45.250Z",
    "saved_by": "ana",
    "served_by": "onnx",
    "agreement": {"rows": 2720},
    "selected": True,
    "parameters": {"n_estimators": 100},
    "versions": {"scikit-learn": "1.4.2"},
}  # fmt: skip
FEATURES = (Feature("lux", "lx", 19.2, 2004.0), Feature("vibration", "g", 0.238, 3.14))
FULL = Card(FACTS, FEATURES, {"model.skops": 5_200_000}, REPORT)
BARE = Card({"name": "mine", "digest": "d" * 64, "classes": ["0", "1"]}, (Feature("x0"),))


class Elements(HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text: list[str] = []
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in ("meta", "circle", "line", "path", "rect"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def evil() -> Card:
    facts = {
        **FACTS, "description": EVIL, "tags": [EVIL], "model_type": EVIL, "classes": [EVIL, "yes"], "saved_by": EVIL,
        "confusion": {"labels": [EVIL, "yes"], "counts": [[60, 5], [3, 32]]}, "parameters": {EVIL: EVIL},
        "metrics": {EVIL: 0.5}, "data": {**FACTS["data"], "source": EVIL, "notes": [EVIL], "classes": {EVIL: 3}},
        "versions": {EVIL: EVIL}, "positive": EVIL,
    }  # fmt: skip
    importance = {"metric": EVIL, "features": [{"feature": EVIL, "mean": 0.1, "spread": 0.0}]}
    report = {**REPORT, "roc": {EVIL: CURVE, "b": CURVE}, "importance": importance, "threshold": {EVIL: {}},
              "by_class": [{"label": EVIL, "rows": EVIL}, 7], "learning": {"stretches": [0, 0], "scores": [1, 2]},
              "by_device": {"metric": EVIL, "worst": EVIL, "rows": [{"device": EVIL, "errors": EVIL}, EVIL]},
              "precision_recall": {EVIL: {"recall": [1.0, 2.0], "precision": [EVIL, 1.0]}, "b": 3}}  # fmt: skip
    return Card(facts, (Feature(EVIL, EVIL, 0.0, 1.0),), {}, report)


@pytest.mark.parametrize("write", [card_html, card_markdown])
def test_it_shows_all_known_facts(write: Any) -> None:
    text = write(FULL).replace("\\", "")
    for metric in METRICS:
        assert f"{FACTS['holdout'][metric]:.4f}" in text
    for word in ("2,300 of 2,400", "73.9 %", "autumn", "hall B", "lx", "19.2 – 2004", "20 – 1200", "a note",
                 "n_estimators", "1.4.2", "92.0 %", "9f41 c07e", "5.2 MB", "ana", "0.2 %", "mosquitto_pub",
                 "/v1/classify", "load_model", "rank 1 of run 20261124_120432-ab12", "ROC", "Calibration", "Threshold",
                 "Importance", "Confusion", "Precision and recall", "0.8765", "1,035", "0.7654",
                 "The worst device is “pump 7”: 32.5 % of its answers are wrong. The table has the worst 2 of 31.",
                 "0.4321", "More would help.", "0.8123"):  # fmt: skip
        assert word in text, word


@pytest.mark.parametrize("write", [card_html, card_markdown])
def test_it_says_why_there_is_no_learning_curve(write: Any) -> None:
    report = {**REPORT, "learning": None, "no_learning": f"It needs 8 stretches {EVIL}"}
    text = write(Card(FACTS, (), {}, report))
    assert "There is no learning curve. It needs 8 stretches" in text
    assert "<script" not in text.replace("\\<", "")
    assert "There is no learning curve" not in write(Card(FACTS, (), {}, {**REPORT, "learning": None}))


def test_the_page_runs_no_script_and_requests_nothing() -> None:
    for card in (FULL, BARE, evil()):
        page = card_html(card)
        found = Elements(page)
        assert found.open == []
        assert not {"script", "img", "link", "iframe", "object"} & set(found.tags)
        assert found.tags.count("style") == 1
        names = {name for name, _ in found.attributes}
        assert not {"src", "href", "style"} & names
        assert not [name for name in names if name.startswith("on")]
        sheet = re.search(r"<style>(.*?)</style>", page, re.DOTALL)
        assert sheet is not None
        assert "url(" not in sheet[1]
        assert "@import" not in sheet[1]
        digest = base64.b64encode(hashlib.sha256(sheet[1].encode()).digest()).decode()
        assert f"'sha256-{digest}'" in POLICY
        assert f'content="{POLICY}"' in page


def test_text_from_users_is_escaped_in_markdown() -> None:
    text = card_markdown(evil())
    prose = re.sub(r"^(`{3,})\w*\n.*?^\1$", "", text, flags=re.DOTALL | re.MULTILINE)
    assert not re.search(r"(?<!\\)<", prose)
    assert not re.search(r"(?<!\\)`", prose)
    assert "\n# h" not in prose
    for line in prose.splitlines():  # a cell stays a cell
        if line.startswith("|"):
            assert len(re.findall(r"(?<!\\)\|", line)) in (3, 4, 5, 6, 7)


def test_the_commands_survive_a_shell() -> None:
    name = "Lux (x10³) 'inner'"
    text = card_markdown(Card({**FACTS}, (Feature(name, "lx", 0.0, 10.0), Feature("$(touch x)", "", 1.0, 3.0))))
    blocks = re.findall(r"```sh\n(.*?)\n```", text, re.DOTALL)
    assert len(blocks) == 3
    command, publish, ask = (shlex.split(block.replace("\\\n", "")) for block in blocks)
    assert command[-2:] == [f"{name}=5.0", "$(touch x)=2.0"]
    assert json.loads(publish[-1]) == {name: 5.0, "$(touch x)": 2.0}
    assert json.loads(ask[ask.index("-d") + 1])["readings"] == [{name: 5.0, "$(touch x)": 2.0}]


def limits_of(card: Card) -> str:
    (section,) = [section for section in page_of(card).sections if section.title == "Limits"]
    return " ".join(section.blocks[0].items)


def test_limits_state_what_the_model_was_not_trained_for() -> None:
    said = limits_of(FULL)
    for word in ("lux 19.2 – 2004 lx", "only the labels no, yes.", "627 (26.1 %)", "fewer than 50 rows of yes",
                 "2026-09-01 to 2026-11-23", "4 values were missing", "off by 0.12"):  # fmt: skip
        assert word in said, word
    assert "compiled" not in said
    bare = limits_of(BARE)
    for word in ("is not known", "was not trained here", "no hold-out metrics"):
        assert word in bare, word
    assert "without a probability" in limits_of(Card({**FACTS, "has_probabilities": False}, FEATURES))


def test_a_model_without_metrics_says_so() -> None:
    for write in (card_html, card_markdown):
        text = write(BARE)
        assert "it has no metrics" in text
        assert "ROC" not in text
        assert "None" not in text


@pytest.mark.parametrize("junk", [None, 5, "text", [1, "x"], {"a": {"b": []}}, {"yes": 5}, float("nan"), True])
def test_the_card_can_be_rendered_whatever_the_metadata_contains(junk: Any) -> None:
    """Users can write anything into the metadata, except the name and the digest."""
    keys = ("metrics", "folds", "holdout", "holdout_rows", "data", "confusion", "parameters", "versions", "positive",
            "agreement", "metric", "rank", "run", "description", "tags", "model_type", "has_probabilities",
                "imported")  # fmt: skip
    for key in keys:
        card = Card({**FACTS, key: junk}, FEATURES, {}, REPORT)
        assert card_html(card)
        assert card_markdown(card)
    for part in REPORT:
        for told in (junk, {"yes": junk}, {"features": junk}, {"yes": {"said": [0.1], "was": junk, "rows": junk}}):
            card = Card(FACTS, FEATURES, {}, {**REPORT, part: told})
            assert card_html(card)
            assert card_markdown(card)


def test_an_imported_model_names_its_source() -> None:
    imported = {"file": "rf_v1.pkl", "saved_at": "2025-10-29T19:39:21.040921"}
    assert "rf_v1.pkl, saved 2025-10-29" in card_html(Card({**BARE.facts, "imported": imported}, BARE.features))


def test_the_interval_is_wilsons() -> None:
    assert interval(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    assert interval(0, 10) == pytest.approx((0.0, 0.2775), abs=1e-4)
    assert interval(10, 10) == pytest.approx((0.7225, 1.0), abs=1e-4)


@pytest.mark.parametrize(
    ("facts", "says"),
    [
        ({}, "It predicted 92.0 % of 100 hold-out readings correctly (95 % interval 85"),
        ({"holdout_intervals": {"Accuracy": [0.7, 0.99]}}, "(95 % interval 70.0 – 99.0 %)"),
        ({"holdout_intervals": {"Accuracy": None}}, "(too few independent stretches for an interval)"),
        ({"holdout_intervals": {}, "holdout_rows": 0}, "100 readings of other folds correctly (too few"),
        ({"holdout_intervals": {"Accuracy": ["x", 1]}}, "(too few independent stretches for an interval)"),
    ],
)
def test_the_interval_of_the_first_sentence_is_that_of_independent_stretches(facts: dict, says: str) -> None:
    """Counted by readings it would be far too narrow, because readings next to each other err together."""
    page = page_of(Card({**FACTS, **facts}, FEATURES))
    assert says in page.verdict


def test_a_plant_with_device_profiles_is_not_told_to_publish_what_nobody_reads() -> None:
    def mqtt(*profiles: str) -> str:
        place = place_of(Settings(profiles=profiles))
        return card_markdown(replace(BARE, place=place)).partition("### MQTT")[2].partition("### API")[0]

    assert "mosquitto_pub" not in mqtt("tasmota")
    assert "(tasmota)" in mqtt("tasmota")
    assert "mosquitto_pub" in mqtt("tasmota", "default")


def test_the_message_has_the_keys_and_scales_that_a_device_sends() -> None:
    fields = {"lux": {"from": "kilolux", "scale": 1000}}
    card = replace(BARE, features=(Feature("lux"), Feature("temperature")), place=place_of(Settings(fields=fields)))
    assert """'{"kilolux": 0.001, "temperature": 1.0}'""" in card_markdown(card)
