"""A benchmark of a few thousand readings: tests that it measures and counts, not how fast it is."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from benchmarks.servers import NEEDED, ROOT
from tests.servers import found_or_skip

pytestmark = pytest.mark.long

# These tests do not check how exact the figures are, or how large the model is.
SMALL = (
    "from benchmarks import end_to_end, model; model.TREES = 10; end_to_end.MAX_LATENCY_RUNS = 1; "
    "end_to_end.QUICK = end_to_end.Size(pairs=1, readings=3_000, minute_s=0, latency_s=1, budget_s=0.0); "
    "end_to_end.main()"
)


def test_a_small_benchmark_counts_every_reading_once() -> None:
    for program in NEEDED:
        found_or_skip(program)
    command = [sys.executable, "-c", SMALL, "--quick", "--json"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=150, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert said["lost"] == said["repeated"] == said["unaccounted"] == 0
    assert not said["failed"]
    for figure in (
        "end_to_end_per_s",
        "floor_qos0_per_s",
        "floor_qos1_per_s",
        "ratio",
        "ratio_qos1",
        "p50_ms",
        "p99_ms",
    ):
        assert said[figure] > 0, figure
    assert set(said["cpu_us"]) == {"load", "subscriber", "broker", "redis", "ingest", "inference"}


def test_a_brokers_death_is_measured() -> None:
    """Stock settings lose everything that waits for a disconnected ingester; ours lose at most a hundred changes."""
    from benchmarks.broker_death import READINGS, SETTINGS, die

    found_or_skip("mosquitto")
    stock, ours, connected = (die(SETTINGS[row], None).lost for row in (0, 2, 4))
    assert stock == READINGS
    assert ours <= 100
    assert connected <= 100
