"""Makes the home that test_upgrade.py opens: `python -m tests.upgrade.make_home FOLDER`, run at commit 0de33b6.

It has two trained models of one run, of which the first is selected; readings that were classified, refused and
repeated; and, written after the services stopped, readings that still wait: alone, in an array, and with an MQTT 5
response topic. expected.json says what has to be there afterwards.
"""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from threading import Event

from command.up.home import home_settings
from command.up.servers import redis_server
from tests.buffers import make_writer
from tests.outside import Outside
from tests.up import Up
from zelador.ledger import LedgerReader
from zelador.messages import Arrival, Reading
from zelador.settings import load_settings

SETTINGS = {
    "ZELADOR_EMBEDDED__BROKER": "mosquitto",
    "ZELADOR_TRAINING__CANDIDATES": "lr,dt",
    "ZELADOR_TRAINING__KEEP": "2",
    "ZELADOR_TRAINING__FOLDS": "3",
}


def reading(draw: random.Random, faulty: bool) -> dict[str, object]:
    vibration = draw.gauss(4.0 if faulty else 1.0, 0.8)
    return {
        "lux": round(draw.gauss(400, 40), 1),
        "temperature": round(draw.gauss(70 if faulty else 50, 6), 2),
        "vibration": round(max(0.0, vibration), 3),
        "label": "yes" if faulty else "no",
    }


def main(target: Path) -> None:
    draw = random.Random(7)
    folder = Path(tempfile.mkdtemp())
    home = folder / "home"
    up = Up(home, environment=SETTINGS)
    outside = Outside(up["mqtt"])
    for number in range(240):
        device = f"press-0{number % 3}"
        outside.send(
            device, {**reading(draw, draw.random() < 0.4), "seq": number // 3, "id": f"r-{number}"}, f"r-{number}"
        )
    outside.send("press-00", {"lux": 1, "temperature": 2})
    outside.send("press-01", b"not JSON")
    outside.send("press-00", {**reading(draw, False), "seq": 0, "id": "r-0"})
    outside.settled()
    status, run = up.api("POST", "/v1/runs", {})
    assert status in (201, 202), run
    deadline = time.monotonic() + 120
    while (found := up.api("GET", f"/v1/runs/{run['id']}")[1])["state"] not in ("succeeded", "done", "finished"):
        assert found["state"] not in ("failed", "cancelled") and time.monotonic() < deadline, found
        time.sleep(0.5)
    status, listed = up.api("GET", "/v1/models")
    names = [model["name"] for model in sorted(listed["models"], key=lambda model: model["rank"])]
    status, selected = up.api("PUT", "/v1/selection", {"model": names[0], "why": "the best of its run"})
    assert status in (200, 202), selected
    outside.all_predicted()
    _, notes = up.api("GET", f"/v1/models/{names[1]}")
    status, viewer = up.api("POST", "/v1/keys", {"role": "viewer", "note": "dashboard"})
    assert status == 201, viewer
    ledger = up.ledger()
    selection = up.api("GET", "/v1/selection")[1]
    key = up.key
    outside.close()
    assert up.stop() == 0
    ports = json.loads((home / "home.json").read_text())
    settings = home_settings(load_settings(), home, ports, True)
    server = redis_server(home / "redis", ports["redis"], "redis-server")
    process = subprocess.Popen(server.command, stdout=subprocess.DEVNULL)
    writer = make_writer(settings, Event(), "zelador-ingest")
    writer.connection.open(20.0)
    now = time.time_ns() // 1_000_000

    def waiting(name: str) -> Reading:
        return Reading(name, (400.0, 52.0, 1.1), now)

    writer.append(
        [
            Arrival("press-00", (waiting("w-0"),), now),
            Arrival("press-01", (waiting("w-1"), waiting("w-2")), now, True),
            Arrival("press-02", (waiting("w-3"),), now, False, "sensors/press-02/answer", b"\x01\xff".hex()),
        ],
        [],
    )
    client = writer.connection.client
    after = LedgerReader(client, settings.redis.prefix).read()
    client.bgrewriteaof()
    time.sleep(3)
    client.shutdown()
    process.wait(20)
    for name in ("up.json", "lock", "mosquitto.conf"):
        (home / name).unlink(missing_ok=True)
    if target.exists():
        shutil.rmtree(target)
    shutil.copytree(home, target)
    (target.parent / "expected.json").write_text(
        json.dumps(
            {
                "key": key,
                "viewer": viewer["key"],
                "models": names,
                "selection": selection,
                "ledger": after.flat(),
                "before": ledger,
            },
            indent=2,
        )
        + "\n"
    )
    shutil.rmtree(folder)
    assert notes


if __name__ == "__main__":
    main(Path(sys.argv[1]).absolute())
