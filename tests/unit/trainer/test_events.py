"""Events and requests survive the way between parent and child, whatever their numbers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.evaluate.known import Known
from trainer.evaluate.split import split
from trainer.run import request
from trainer.run.events import (
    CandidateEnded,
    CandidateStarted,
    Done,
    Event,
    Failed,
    FoldEnded,
    Progress,
    Ready,
    Result,
    decode,
    encode,
)

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
SCORES = st.dictionaries(st.sampled_from(["F1", "AUC", "Accuracy"]), st.none() | NUMBERS)
ROW = {"id": "lr", "model_type": "LogisticRegression", "metrics": {}, "seconds": None, "trouble": None}
ROWS = st.fixed_dictionaries(
    {
        "place": st.none() | st.integers(1, 20),
        "id": st.text(max_size=9),
        "model_type": st.text(max_size=9),
        "metrics": SCORES,
        "seconds": st.none() | NUMBERS,
        "trouble": st.none() | st.text(),
    }
)


@given(rows=st.lists(ROWS, max_size=4), seconds=st.dictionaries(st.sampled_from(["compare", "rebuild"]), NUMBERS))
def test_a_result_reads_back_as_it_was_reported(rows: list, seconds: dict) -> None:
    verdict = {"kind": "clear", "sentence": "é is better", "tied": [], "p": 0.005}
    result = Result(rows, [], ["no", "yes"], "yes", 70, verdict, None, ["a note"], seconds)
    line = encode(Done(result))
    assert b"\n" not in line
    found = decode(line)
    assert found == Done(result)
    assert json.dumps(msgspec.to_builtins(found)) == json.dumps(msgspec.to_builtins(Done(result)))


@given(text=st.text())
def test_a_message_reads_back_as_it_was_reported(text: str) -> None:
    for event in (Progress(text, "build", 0.5), Failed(text), Ready(4.6), CandidateStarted("lr", text, 1, 2, ("lr",))):
        assert b"\n" not in encode(event)
        assert decode(encode(event)) == event


def test_each_event_has_a_tag_of_its_own() -> None:
    started, ended = CandidateStarted("lr", "", 1, 2, ()), CandidateEnded({**ROW, "place": None}, 1, 2)
    events = (Ready(1.0), Progress(""), started, FoldEnded(1, 5), ended, Failed(""))
    tags = [json.loads(encode(event))["event"] for event in events]
    expected = ["ready", "progress", "candidate_started", "fold_ended", "candidate_ended", "failed", "done"]
    assert [*tags, "done"] == expected
    assert len(get_args(Event)) == 7


@pytest.mark.parametrize("line", [b"{}", b"[]", b'{"event":"dance"}', b'{"event":"done"}', b"warning: something"])
def test_a_line_that_is_not_an_event_is_refused(line: bytes) -> None:
    with pytest.raises(msgspec.DecodeError):
        decode(line)


def test_a_request_reads_back_as_it_was_asked(tmp_path: Path) -> None:
    facts = {"source": "a test", "rows": 2, "from": None, "to": None, "classes": {"é": 2}, "missing_values": 1}
    asked = request.Request(
        features=("lux", "Lux (x10³)"),
        units={"lux": "lx", "Lux (x10³)": ""},
        labels=("é", "é"),
        metric="F1",
        positive="é",
        missed=9.0,
        false_alarm=1.0,
        recall=None,
        folds=5,
        folds_by="block",
        alone={"é": "on the device 'm' only"},
        keep=3,
        seed=7,
        candidates=None,
        metadata={
            "metric": "F1",
            "run": "r",
            "data": {**facts, "sha256": "0", "notes": []},
            "description": "",
            "tags": [],
        },
    )
    plan = split(Known(np.zeros((20, 2)), np.arange(20) % 2, ("a", "b"), None, (), None), "random", 2, 0.5, 7)
    request.write(tmp_path, asked, np.array([[1.0, np.nan], [0.1, -0.0]]), plan, None, np.array([3, 4]))
    found, arrays = request.read(tmp_path)
    assert found == asked
    assert np.array_equal(arrays.rows, [[1.0, np.nan], [0.1, -0.0]], equal_nan=True)
    assert np.array_equal(arrays.tested, plan.tested)
    assert arrays.devices is None
    assert arrays.times is not None and arrays.times.tolist() == [3, 4]
