"""The soak as its user starts it: the last line is JSON, and nothing is lost."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.faults.conftest import whole_matrix
from tests.up import clean_environment


@whole_matrix
def test_a_short_soak(servers: None) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.soak", "--seconds", "25", "--kills", "4", "--json"],
        capture_output=True,
        text=True,
        timeout=170,
        env={**clean_environment(), "TEST_SERVERS": "local"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["lost"], found["unaccounted"], found["miscounted"], found["kills_total"]) == (0, 0, 0, 4)
    assert found["kills"] == {"ingest": 1, "inference": 1, "redis": 1, "broker": 1}
    assert found["readings"] > 5_000
    assert 0 < found["recovery_p50_s"] <= found["recovery_p99_s"]
