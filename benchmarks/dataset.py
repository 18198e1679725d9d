"""Data sets from a large archive: `python -m benchmarks.dataset [--rows N] [--devices N] [--describe] [--json]`.

One reading a second for each device is written as the archiver writes it, and 1,500 labels of periods are joined. The
limits are requirements of the product, for 10 million readings.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa

from archive.archive import open_archive
from archive.dataset.load import archive_of, load
from archive.dataset.query import query_of
from archive.layout import describe, encode, reading_schema
from command.up.ports import choose
from zelador.buffer import connect_redis
from zelador.labels import Label, LabelStore
from zelador.settings import ArchiveSettings, DatasetSettings, RedisSettings, Settings

BEGIN = 1_764_547_200_000  # 2025-12-01
FEATURES = ("lux", "temperature", "vibration")
FILE_ROWS = 2_000_000  # as merged files have
SAMPLE = 50_000
LIMIT_S = 1_800.0
LABELS = 1_500
LIMITS = {"sample_s": 10.0, "sample_gib": 1.5, "label_s": 1.0, "undo_s": 1.0}


def write(folder: Path, rows: int, devices: int) -> None:
    archive = open_archive(folder, make=True)
    draw = np.random.default_rng(7)
    for start in range(0, rows, FILE_ROWS):
        number = np.arange(start, min(rows, start + FILE_ROWS))
        seconds, device = number // devices, number % devices
        measured = BEGIN + seconds * 1_000
        values = (
            np.round(400 + 30 * np.sin(seconds / 3_000) + draw.normal(0, 4, len(number)), 1),
            np.round(40 + 3 * np.sin(seconds / 5_000 + device) + draw.normal(0, 1, len(number)), 2),
            np.round(np.abs(1 + draw.normal(0, 0.3, len(number))), 3),
        )
        names = np.array([f"press-{at:02d}" for at in range(devices)], dtype=object)
        columns = (
            [f"{at:016x}" for at in number], names[device], measured, measured + 40, seconds,
            [None] * len(number), measured + 50, device, np.zeros(len(number), np.int32), *values,
        )  # fmt: skip
        schema = reading_schema(FEATURES)
        table = pa.table(
            [pa.array(column, pa.int64() if pa.types.is_timestamp(field.type) else field.type).cast(field.type)
             for column, field in zip(columns, schema, strict=True)],
            schema=schema,
        )  # fmt: skip
        data = encode(table)
        ends = (f"{measured[at] + 50}-{device[at]}" for at in (0, -1))
        file = describe("readings", table, data, *ends)
        archive.store.create(file.path, data)
        assert archive.log.commit([{"op": "add", "files": [msgspec.to_builtins(file)]}], archive.log.sync(), by="x")


def work_orders(rows: int, devices: int) -> list[Label]:
    """Returns labels for half of each device's time, one in twenty of them `fault`."""
    length = rows // devices * 1_000
    each = max(1, LABELS // devices)
    step = length // each
    return [
        Label(f"{device}-{at}", f"press-{device:02d}", BEGIN + at * step, BEGIN + at * step + step // 2,
              "fault" if at % 20 == 0 else "normal", "", "benchmark", BEGIN)
        for device in range(devices) for at in range(each)
    ]  # fmt: skip


def measured(settings: Settings, described: bool) -> dict[str, Any]:
    """Measures in a separate process, to measure its memory."""
    begun, cpu = time.perf_counter(), time.process_time()
    with connect_redis(settings.redis) as client:
        query = query_of({"cap": SAMPLE, "fewest": 9}, settings)
        found = load(client, settings, query, archive_of(settings), described=described, cached=False)
    return {
        "s": round(time.perf_counter() - begun, 2),
        "cpu_s": round(time.process_time() - cpu, 2),
        "gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024 / 1024, 2),
        "rows": found.meta.rows,
        "labeled": found.meta.labeled,
        "classes": found.meta.classes,
        "digest": found.meta.digest,
        "findings": [each.sentence for each in found.description.findings] if found.description else [],
    }


def apart(settings: Settings, described: bool) -> dict[str, Any]:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measured, settings, described).result(LIMIT_S)


def run(folder: Path, rows: int, devices: int, port: int, described: bool) -> dict[str, Any]:
    settings = Settings(
        redis=RedisSettings(url=f"redis://127.0.0.1:{port}/0"),
        archive=ArchiveSettings(url=str(folder / "archive")),
        datasets=DatasetSettings(cache=folder / "datasets"),
    )
    begun = time.perf_counter()
    write(folder / "archive", rows, devices)
    size = sum(each.stat().st_size for each in (folder / "archive").rglob("*.parquet"))
    found: dict[str, Any] = {"rows": rows, "write_s": round(time.perf_counter() - begun, 1), "bytes": size}
    with connect_redis(settings.redis) as client:
        store = LabelStore(client, settings.redis.prefix)
        store.add(work_orders(rows, devices))
        first = apart(settings, described=False)
        million = Label("million", "press-00", BEGIN, None, "worn", "", "benchmark", BEGIN)
        begun = time.perf_counter()
        assert store.add([million]) == ["added"]
        found["label_s"] = round(time.perf_counter() - begun, 4)
        second = apart(settings, described=False)
        begun = time.perf_counter()
        store.undo("million", "benchmark", BEGIN)
        found["undo_s"] = round(time.perf_counter() - begun, 4)
        third = apart(settings, described=False)
        assert third["digest"] == first["digest"] != second["digest"]
        found |= {"sample_s": first["s"], "sample_cpu_s": first["cpu_s"], "sample_gib": first["gib"]}
        found |= {"sample": first, "with_label": second}
        if described:
            found["describe"] = apart(settings, described=True)
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--devices", type=int, default=20)
    parser.add_argument("--describe", action="store_true", help="describe the readings too")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    port = choose(["redis"], {}, {})["redis"]
    with tempfile.TemporaryDirectory(prefix="zelador-dataset-") as name:
        server = subprocess.Popen(
            ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", name],
            stdout=subprocess.DEVNULL,
        )
        try:
            with connect_redis(RedisSettings(url=f"redis://127.0.0.1:{port}/0")) as client:
                for _ in range(100):
                    try:
                        client.ping()
                        break
                    except Exception:  # noqa: BLE001 - it is starting
                        time.sleep(0.1)
            found = run(Path(name), asked.rows, asked.devices, port, asked.describe)
        finally:
            server.terminate()
            server.wait(10)
    print(json.dumps(found) if asked.json else json.dumps(found, indent=2))
    missed = [key for key, limit in LIMITS.items() if found[key] > limit]
    if missed:
        print(f"beyond the limit: {', '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
