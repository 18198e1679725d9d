"""The registry from Python: save three models, list them, load one, classify sensor scenarios.

    python examples/registry_demo.py

It uses a temporary folder, or the registry of ZELADOR_REGISTRY__URL if that is set. There, two of the models remain
until you delete them (zelador models delete NAME).
"""

from __future__ import annotations

import os
import tempfile

import numpy as np
from sklearn.ensemble import GradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from registry import (
    delete_model,
    get_model_metadata,
    get_models_summary,
    list_models,
    load_model,
    save_model,
)

FEATURES = ["lux", "temperature", "vibration"]  # lx, °C, g

SCENARIOS = {
    "a quiet night": (20.0, 22.0, 0.3),
    "an ordinary shift": (400.0, 38.0, 0.8),
    "a hot afternoon": (900.0, 52.0, 0.9),
    "a loose bearing": (400.0, 45.0, 2.4),
    "hot and shaking": (350.0, 68.0, 3.1),
}


def main() -> None:
    models = demo_models()

    print("1. Save three models with their metadata")
    for name, (model, facts) in models.items():
        path = save_model(model, name, facts)
        print(f"   {name:<24} {path}")

    print("\n2. List them")
    for row in get_models_summary():
        print(f"   {row['name']:<24} {row['model_type']:<22} accuracy {row['accuracy']:.3f}  F1 {row['f1']:.3f}")
    try:
        save_model(models["forest_v1"][0], "forest_v1")
    except ValueError as error:
        print(f"   a model is never overwritten: {error}")

    print("\n3. Load the best model")
    best = max(models, key=lambda name: list_models()[name]["metadata"]["f1"])
    entry = get_model_metadata(best)
    print(f"   {best}, saved at {entry['saved_at']}: {entry['metadata']['description']}")
    model = load_model(best)

    print("\n4. Does this machine need maintenance?")
    for scenario, values in SCENARIOS.items():
        (label,) = model.predict([values])
        probabilities = dict(zip(model.classes_, model.predict_proba([values])[0], strict=True))
        reading = ", ".join(f"{name} {value:g}" for name, value in zip(FEATURES, values, strict=True))
        print(f"   {scenario:<18} {reading:<42} {label:<4} (yes: {probabilities['yes']:.0%})")

    print("\n5. Delete one model")
    delete_model("forest_v1")
    print(f"   left: {', '.join(sorted(name for name in list_models() if name in models))}")


def demo_models() -> dict[str, tuple[object, dict[str, object]]]:
    """Three fitted classifiers by name, with metadata. Machines that vibrate, or vibrate and are hot, need care."""
    draw = np.random.default_rng(7)
    rows = np.column_stack([draw.gamma(2.0, 200.0, 1500), draw.normal(40.0, 10.0, 1500), draw.gamma(2.0, 0.5, 1500)])
    strain = rows[:, 2] + 0.03 * (rows[:, 1] - 40.0) + draw.normal(0.0, 0.2, 1500)
    labels = np.where(strain > 1.6, "yes", "no")
    train, test, train_labels, test_labels = train_test_split(rows, labels, test_size=0.3, random_state=7)
    kinds = {
        "forest_v1": (RandomForestClassifier(100, random_state=7), "a hundred trees"),
        "boosting_v1": (GradientBoostingClassifier(random_state=7), "trees, each correcting the previous ones"),
        "logistic_v1": (make_pipeline(StandardScaler(), LogisticRegression()), "a linear boundary"),
    }
    fitted: dict[str, tuple[object, dict[str, object]]] = {}
    for name, (model, description) in kinds.items():
        model.fit(train, train_labels)
        predicted = model.predict(test)
        facts = {
            "accuracy": float(accuracy_score(test_labels, predicted)),
            "f1": float(f1_score(test_labels, predicted, pos_label="yes")),
            "description": description,
            "features": FEATURES,
        }
        fitted[name] = (model, facts)
    return fitted


if __name__ == "__main__":
    if "ZELADOR_REGISTRY__URL" in os.environ:
        main()
    else:
        with tempfile.TemporaryDirectory(prefix="registry-demo-") as folder:
            os.environ["ZELADOR_REGISTRY__URL"] = folder
            main()
