"""Reads an archive without the product's code: the log as JSON, and the files as Parquet."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import zstandard


def files_that_count(folder: Path) -> list[str]:
    """The files that the log names and has not replaced or removed."""
    count: dict[str, None] = {}
    begin = ""
    for path in sorted((folder / "checkpoints").glob("*")):  # the log before the oldest may be gone
        data = zstandard.ZstdDecompressor().decompress(path.read_bytes(), max_output_size=1 << 28)
        count, begin = dict.fromkeys(json.loads(data)["files"]), path.name[:8]
        break
    for path in sorted((folder / "log").glob("*.json")):
        if path.stem <= begin:
            continue
        for op in json.loads(path.read_text())["ops"]:
            for gone in op.get("removed", ()) if op["op"] == "replace" else op["paths"] if op["op"] == "remove" else ():
                del count[gone]
            for file in op.get("files", ()):
                assert file["path"] not in count
                count[file["path"]] = None
    return list(count)


@dataclass
class Found:
    ids: Counter[str]  # of readings: how often
    rows: list[dict[str, Any]]
    outcomes: list[dict[str, Any]]


def named_ids(folder: Path) -> Counter[str]:
    """The readings in all files with Parquet's ending, as a program reads them that knows nothing about the log."""
    paths = [path for path in folder.glob("**/*.parquet") if path.relative_to(folder).parts[0] == "readings"]
    tables = [pq.read_table(path, columns=["id"], partitioning=None) for path in paths]
    return Counter(id_ for table in tables for id_ in table["id"].to_pylist())


def archived(folder: Path) -> Found:
    rows: list[dict[str, Any]] = []
    outcomes: list[dict[str, Any]] = []
    for path in files_that_count(folder):
        table = pq.read_table(folder / path, partitioning=None)
        (rows if path.startswith("readings/") else outcomes).extend(table.to_pylist())
    return Found(Counter(row["id"] for row in rows), rows, outcomes)
