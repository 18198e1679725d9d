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

CLEAR = "20261124_115838-a38d"  # its three candidates can be saved
TIED, NOTHING, NOT_EVALUABLE, FAILED, CANCELLED = (f"20261124_12000{place}-aaaa" for place in range(5))
ENDED = (CLEAR, TIED, NOTHING, NOT_EVALUABLE, FAILED, CANCELLED)


def put_ended_runs(registry: Registry, folder: Path) -> None:
    document = json.loads(Path(__file__).with_name("run.json").read_text(encoding="utf-8"))
    registry.put_run(CLEAR, cast(RunDocument, document))
    given = upload()
    packed = pack(given, "LogisticRegression")
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
        NOTHING: {"verdict": {"kind": "nothing_to_learn", "sentence": "There is nothing.", "tied": [], "p": 0.4}},
        NOT_EVALUABLE: {"verdict": {"kind": "not_evaluable", "sentence": "It cannot be.", "tied": [], "p": None}},
        FAILED: {"state": "failed", "error": "the child process was killed <9>", "models": []},
        CANCELLED: {"state": "cancelled", "models": [], "leaderboard": []},
    }
    for run, changes in ends.items():
        ended = {**copy.deepcopy(document), "run": run, **changes}
        if changes.get("verdict", {}).get("kind") in ("nothing_to_learn", "not_evaluable"):
            for model in ended["models"]:
                model["not_recommended"] = True
        registry.put_run(run, cast(RunDocument, ended))
