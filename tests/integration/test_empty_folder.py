"""Services run in an empty folder, and touch no file outside their own folders.

In the folder where a service was started, an ONNX file with external data would read
`keys.json`, PyCaret would leave `logs.log`, and ONNX Runtime would keep a database in the user's cache.
"""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from command.up.ports import choose
from operations.key_file import new_key
from registry.registry import Registry
from tests import small_models
from tests.outside import Outside
from tests.up import clean_environment
from trainer.candidate.compile import compile_pipeline
from zelador import heartbeat
from zelador.settings import Settings, environment

SERVICES = ("ingest", "infer", "trainer", "api")


def own(folder: Path) -> dict[str, str]:
    """The only folders of a user. The variable CI is removed, because it would disable ONNX Runtime's reports."""
    kept = {name: value for name, value in clean_environment().items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    paths = {name: str(folder / name.lower()) for name in ("HOME", "TMPDIR", "XDG_CACHE_HOME")}
    for path in paths.values():
        Path(path).mkdir()
    return {**kept, **paths}


@pytest.fixture
def running(settings: Settings, tmp_path: Path, eventually) -> Iterator[dict[str, int]]:
    """All services by name, started in `work` with relative paths: their process ids."""
    work = tmp_path / "work"
    given_model = small_models.upload()
    onnx, _ = compile_pipeline(given_model.pipeline, len(small_models.FEATURES))
    registry = Registry.open(work / "models" / "registry")
    registry.save("small", dataclasses.replace(given_model, onnx=onnx), by="test")
    registry.select("small", by="test")
    new_key(work / "keys.json")
    port = choose(["api"], {}, {})["api"]
    given = settings.model_copy(
        update={
            "registry": settings.registry.model_copy(update={"url": "models/registry"}),
            "api": settings.api.model_copy(update={"keys_file": Path("keys.json"), "port": port}),
        }
    )
    variables = {**own(tmp_path), **environment(given)}
    logs = {name: (tmp_path / f"{name}.log").open("wb") for name in SERVICES}
    started = {
        name: subprocess.Popen(
            [sys.executable, "-m", "zelador", name], cwd=work, env=variables, stdout=logs[name], stderr=logs[name]
        )
        for name in SERVICES
    }
    try:
        client = redis.Redis.from_url(settings.redis.url)

        def all_answer() -> bool:
            assert all(process.poll() is None for process in started.values())
            found = {each["service"]: each for each in heartbeat.workers(client, settings.redis.prefix)}
            listens = "serving on" in (tmp_path / "api.log").read_text()
            return listens and {"ingest", "trainer"} <= set(found) and bool(found.get("inference", {}).get("model"))

        with client:
            eventually(all_answer, "all services", 90.0)
        yield {name: process.pid for name, process in started.items()}
    finally:
        for process in started.values():
            process.terminate()
        for process in started.values():
            process.wait(40)
        for log in logs.values():
            log.close()


def test_services_find_their_own_files_and_touch_nothing_else(
    running: dict[str, int], settings: Settings, mark: str, tmp_path: Path
) -> None:
    made = {each.name for each in (tmp_path / "work").iterdir()}
    outside = Outside(settings.mqtt.url, root=mark)
    outside.send("press", {"lux": 300.0, "temperature": 25.0, "vibration": 0.4, "id": "one"}, "one")
    outside.settled()
    outside.all_predicted()
    outside.close()
    for name, pid in running.items():
        here = Path(f"/proc/{pid}/cwd").resolve()
        assert here.parent == tmp_path / "tmpdir", name
        assert (here.stat().st_mode & 0o777, list(here.iterdir())) == (0o500, []), name
    assert {each.name for each in (tmp_path / "work").iterdir()} == made
    assert list((tmp_path / "home").iterdir()) == []
    cached = [path for path in (tmp_path / "xdg_cache_home").rglob("*") if path.is_file()]
    assert {path.parent for path in cached} <= {tmp_path / "xdg_cache_home" / "zelador" / "passed"}
    assert {path.name for path in (tmp_path / "tmpdir").iterdir()} <= {
        f"zelador-empty-{os.geteuid()}", f"zelador-libgomp-{os.getuid()}",
    }  # fmt: skip
