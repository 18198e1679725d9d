"""Training runs that have ended, one in each way, put into a registry without training."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any, cast

from registry.model import manifest
from registry.model.artifact import manifest_of, pack
from registry.registry import Registry
from registry.run_document import RunDocument
from tests.small_models import upload
from zelador.training_queue.event import RunEvent, Standing, Waiting, encode

CLEAR = "20261124_115838-a38d"  # its three candidates can be saved
TIED, NOTHING, NOT_EVALUABLE, FAILED, CANCELLED, LATE = (f"20261124_12000{place}-aaaa" for place in range(6))
ENDED = (CLEAR, TIED, NOTHING, NOT_EVALUABLE, FAILED, CANCELLED, LATE)  # the last: canceled after the folds


REPORT = {
    "rows": 960,
    "classes": ["no", "yes"],
    "threshold": {
        "yes": {
            "threshold": [0.05, 0.25, 0.5, 0.75], "cost": [10.0, 20.0, 40.0, 90.0], "costs": [10.0, 1.0], "chosen": 0.09
        }
    },
    "errors": {
        "positive": "yes",
        "threshold": [0.05, 0.1, 0.25, 0.5, 0.75],
        "folds": {
            "rows": 1440, "positives": 200, "missed": [0, 2, 10, 40, 90], "false_alarms": [300, 150, 60, 20, 4],
        },
        "held_out": {"rows": 960, "positives": 100, "missed": [0, 1, 6, 21, 50], "false_alarms": [200, 90, 41, 9, 2]},
    },
    "by_device": {
        "metric": "F1",
        "devices": 2,
        "worst": "press-01",
        "rows": [
            {
                "device": "press-01", "rows": 80, "errors": 0.125, "score": 0.8, "positives": 12, "found": 7,
                "false_alarms": 5,
            },
            {
                "device": "<b>", "rows": 80, "errors": 0.0, "score": None, "positives": 0, "found": 0,
                "false_alarms": 0,
            },
        ],
    },
}  # fmt: skip
MOVED = {
    "metric": "MCC", "real": 0.04, "moves": 60, "as_good": 24, "low": -0.1, "high": 0.14, "counts": [4, 12, 28, 12, 4],
}  # fmt: skip
SEEN = {
    "devices": ["press-01", "<b>"],
    "of": 14,
    "classes": {
        "no": {"rows": [402, 388], "devices": 14, "alone": False},
        "yes": {"rows": [120, 0], "devices": 1, "alone": True},
    },
}
PROMOTION = {
    "promoted": False,
    "reason": "not_better",
    "sentence": "Not promoted: it may be chance.",
    "model": None,
    "against": "small",
    "metric": "F1",
    "margin": 0.01,
    "difference": 0.007,
    "interval": [-0.001, 0.015],
    "holdout_uses": 6,
}


def events_of(ended: list[dict[str, Any]], current: str | None) -> list[RunEvent]:
    """The events of a run of five candidates with the baseline: some have ended, and one may be compared now."""
    standings = [
        Standing(each["id"], each["model_type"], each["metrics"]["F1"], None, each["seconds"], None) for each in ended
    ]
    waits = (Waiting("gbc", "GradientBoosting"), Waiting("dummy", "Dummy"))
    found = [RunEvent(1, "2026-11-24T12:00:00Z", "started", "fetching the labeled readings")]
    for place, each in enumerate(standings, start=2):
        found.append(
            RunEvent(
                place, f"2026-11-24T12:00:0{place}Z", "candidate_ended", "", place - 1, 5, each,
                tuple(standings[: place - 1]), 40.0,
            )
        )  # fmt: skip
    if current is None:
        return found
    begins = Standing("rf", current, None, None, None, None)
    done = len(standings)
    found.append(RunEvent(done + 2, "2026-11-24T12:00:09Z", "candidate_started", "", done, 5, begins, waiting=waits))
    return found


def put_ended_runs(registry: Registry, folder: Path) -> None:
    document = json.loads(Path(__file__).with_name("run.json").read_text(encoding="utf-8"))
    registry.put_run(CLEAR, cast(RunDocument, document | {"promotion": PROMOTION}))
    given = upload()
    packed = {**pack(given, "LogisticRegression"), "report/report.json": json.dumps(REPORT).encode()}
    for model in document["models"]:
        rank = model["rank"]
        given.metadata.update(run=CLEAR, rank=rank, positive="yes", threshold=model["threshold"])
        described = manifest.encode(manifest_of(given, "LogisticRegression", packed, document["ended_at"]))
        for path, data in {**packed, manifest.FILE: described}.items():
            (place := folder / str(rank) / path).parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(data)
        registry.put_candidate(CLEAR, rank, folder / str(rank))
    names = [model["model_type"] for model in document["models"]]
    sentence = f"{names[0]} and {names[1]} cannot be told apart by F1; take {names[0]} because it is faster."
    ends: dict[str, dict[str, Any]] = {
        TIED: {"verdict": {"kind": "tied", "sentence": sentence, "tied": names[:2], "p": 0.005}},
        NOTHING: {
            "verdict": {
                "kind": "nothing_to_learn",
                "sentence": "There is nothing.",
                "tied": [],
                "p": 0.4,
                "moved": MOVED,
            }
        },
        NOT_EVALUABLE: {
            "verdict": {"kind": "not_evaluable", "sentence": "It cannot be.", "tied": [], "p": None},
            "split": {**document["split"], "seen": SEEN},
        },
        FAILED: {
            "state": "failed",
            "error": "the child process was killed <9>",
            "models": [],
            "leaderboard": document["leaderboard"][:2],
        },
        CANCELLED: {
            "state": "cancelled",
            "models": [],
            "leaderboard": document["leaderboard"][:2],
            "error": "cancelled by key 4f2a91c0",
        },
        LATE: {
            "state": "cancelled",
            "models": [],
            "notes": "after <i>the oil</i>",
            "error": "cancelled by key 4f2a91c0",
        },
    }
    for run, changes in ends.items():
        ended = {**copy.deepcopy(document), "run": run, **changes}
        if changes.get("verdict", {}).get("kind") in ("nothing_to_learn", "not_evaluable"):
            for model in ended["models"]:
                model["not_recommended"] = True
        registry.put_run(run, cast(RunDocument, ended))
    for run in (FAILED, CANCELLED):
        registry.put_run_events(run, encode(events_of(document["leaderboard"][:2], "RandomForest")))
    registry.put_run_events(LATE, encode(events_of(document["leaderboard"], None)))
