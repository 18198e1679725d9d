"""The benchmark's model: a random forest of 100 trees, registered in the same way as by the trainer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.ensemble import RandomForestClassifier

from benchmarks.servers import Failed
from command.demo.scenarios.by_name import scenario
from registry.model.manifest import Feature
from registry.registry import Registry
from trainer.candidate.build import build
from trainer.candidate.rebuild import rebuild
from trainer.candidate.upload import upload
from trainer.evaluate.split_rows import Parts

NAME = "forest-of-100"
TREES = 100
SEED = 7


def register(folder: Path) -> str:
    """Registers and selects the model in a new registry; returns its name. Raises Failed unless ONNX serves it."""
    machines = scenario("machines", SEED)
    rows = np.array([[sample.values[name] for name in machines.features] for sample in machines.history])
    labels = tuple(str(sample.label) for sample in machines.history)
    cut = int(0.7 * len(rows))
    split = Parts(rows[:cut].astype(np.float32), labels[:cut], rows[cut:], labels[cut:], ("no", "yes"))
    pipeline = rebuild(RandomForestClassifier(n_estimators=TREES, random_state=SEED), split)
    features = [Feature(name) for name in machines.features]
    built = build(pipeline, None, None, split, SEED)
    answers = built.answers(np.array([split.classes.index(label) for label in labels[cut:]]), split.classes, "yes")
    forest = upload(built, split, answers, features, {"model_type": "RandomForest"}, SEED)
    registry = Registry.open(folder)
    registry.save(NAME, forest, by="benchmark")
    served_by = registry.manifest(NAME).served_by
    if served_by != "onnx":
        reason = (forest.agreement or {}).get("reason", "no reason given")
        raise Failed(f"the forest would be served by {served_by}, not by ONNX: {reason}")
    registry.select(NAME, by="benchmark")
    return NAME
