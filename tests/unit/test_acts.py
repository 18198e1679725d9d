"""Every act checks that it can be recorded, before it changes anything."""

from __future__ import annotations

import ast
from pathlib import Path

import operations.acts

FOLDER = Path(operations.acts.__file__).parent


def test_every_act_that_is_recorded_is_checked_first() -> None:
    """No act is done that cannot be recorded. `amend` and other acts that an act calls check by themselves."""
    checked, recorded = set[str](), set[str]()
    functions: dict[str, set[str]] = {}
    for path in FOLDER.glob("*.py"):
        for function in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(function, ast.FunctionDef) and any(each.arg == "actor" for each in function.args.args):
                calls = [each.func for each in ast.walk(function) if isinstance(each, ast.Call)]
                name = f"{path.stem}.{function.name}"
                functions[name] = {f"{path.stem}.{ast.unparse(each)}" for each in calls}
                functions[name] |= {ast.unparse(each).replace("acts.", "models.") for each in calls}
                checked |= {name} if "actor.check" in functions[name] else set()
                recorded |= {name} if "actor.record" in functions[name] else set()
    for kind in (checked, recorded):  # an act also counts if a function that it calls checks or records
        for _ in functions:
            kind |= {name for name, calls in functions.items() if calls & kind}
    assert len(recorded) > 20
    assert sorted(name for name in recorded - checked if "._" not in name) == []
